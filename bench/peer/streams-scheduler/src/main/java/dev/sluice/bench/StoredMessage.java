package dev.sluice.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Record;

/**
 * A waiting message in the store. Key: due time and input offset, big-endian, so that RocksDB's order is the order of sending.
 * Value: headers, key and value of the message, the control headers left out.
 */
final class StoredMessage {
    private static final int NULL = -1;

    private StoredMessage() {}

    static Bytes key(long dueMs, long offset) {
        return Bytes.wrap(ByteBuffer.allocate(16).putLong(dueMs).putLong(offset).array());
    }

    static long dueMs(Bytes key) {
        return ByteBuffer.wrap(key.get()).getLong();
    }

    static byte[] encode(Record<byte[], byte[]> record) {
        int size = Integer.BYTES + sizeOf(record.key()) + sizeOf(record.value());
        int headers = 0;
        for (Header header : record.headers()) {
            if (DelayProcessor.isControl(header)) continue;
            size += sizeOf(header.key().getBytes(StandardCharsets.UTF_8)) + sizeOf(header.value());
            headers++;
        }
        ByteBuffer out = ByteBuffer.allocate(size).putInt(headers);
        for (Header header : record.headers()) {
            if (DelayProcessor.isControl(header)) continue;
            put(out, header.key().getBytes(StandardCharsets.UTF_8));
            put(out, header.value());
        }
        put(out, record.key());
        put(out, record.value());
        return out.array();
    }

    static Record<byte[], byte[]> decode(byte[] stored, long dueMs, long nowMs) {
        ByteBuffer in = ByteBuffer.wrap(stored);
        Headers headers = new RecordHeaders();
        for (int left = in.getInt(); left > 0; left--) headers.add(new String(get(in), StandardCharsets.UTF_8), get(in));
        DelayProcessor.stamp(headers, dueMs);
        return new Record<>(get(in), get(in), nowMs, headers);
    }

    private static int sizeOf(byte[] bytes) {
        return Integer.BYTES + (bytes == null ? 0 : bytes.length);
    }

    private static void put(ByteBuffer out, byte[] bytes) {
        out.putInt(bytes == null ? NULL : bytes.length);
        if (bytes != null) out.put(bytes);
    }

    private static byte[] get(ByteBuffer in) {
        int length = in.getInt();
        if (length == NULL) return null;
        byte[] bytes = new byte[length];
        in.get(bytes);
        return bytes;
    }
}
