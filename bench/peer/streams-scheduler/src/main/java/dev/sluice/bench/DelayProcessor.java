package dev.sluice.bench;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/** One partition: puts what comes into the store and, every tick, sends what is due in the order of due time and offset. */
final class DelayProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    private static final Duration TICK = Duration.ofMillis(Long.getLong("scheduler.tick.ms", 10));
    /** In one tick: a flood of due messages must not keep the thread from its other partitions and from committing. */
    private static final int MOST_AT_ONCE = Integer.getInteger("scheduler.most.at.once", 2_000);

    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> store;
    /**
     * Nothing in the store is due before. RocksDB leaves a tombstone for every deleted entry: a scan from the beginning would pass over
     * all that were ever sent.
     */
    private long earliestMs;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        store = context.getStateStore(StreamsScheduler.STORE);
        earliestMs = 0;
        context.schedule(TICK, PunctuationType.WALL_CLOCK_TIME, this::send);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        long dueMs = dueMsOf(record);
        long offset = context.recordMetadata().orElseThrow().offset();
        store.put(StoredMessage.key(dueMs, offset), StoredMessage.encode(record));
        earliestMs = Math.min(earliestMs, dueMs);
    }

    private void send(long nowMs) {
        int sent = 0;
        try (KeyValueIterator<Bytes, byte[]> due = store.range(StoredMessage.key(earliestMs, 0), StoredMessage.key(nowMs, Long.MAX_VALUE))) {
            while (due.hasNext() && sent < MOST_AT_ONCE) {
                KeyValue<Bytes, byte[]> entry = due.next();
                earliestMs = StoredMessage.dueMs(entry.key);
                context.forward(StoredMessage.decode(entry.value, earliestMs, nowMs));
                store.delete(entry.key);
                sent++;
            }
            if (sent < MOST_AT_ONCE) earliestMs = nowMs;
        }
    }

    private static long dueMsOf(Record<byte[], byte[]> record) {
        Header at = record.headers().lastHeader("sluice-deliver-at");
        if (at != null) return number(at);
        Header delay = record.headers().lastHeader("sluice-delay");
        if (delay == null) throw new IllegalArgumentException("a message has neither sluice-deliver-at nor sluice-delay");
        return record.timestamp() + number(delay);
    }

    private static long number(Header header) {
        return Long.parseLong(new String(header.value(), StandardCharsets.US_ASCII));
    }

    static boolean isControl(Header header) {
        return header.key().equals("sluice-deliver-at") || header.key().equals("sluice-delay");
    }

    static void stamp(Headers headers, long dueMs) {
        headers.add("sluice-scheduled-for", Long.toString(dueMs).getBytes(StandardCharsets.US_ASCII));
    }
}
