package dev.sluice.bench;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.Stores;

/**
 * The delay queue that a team would write itself with Kafka Streams, tuned for lateness: what waits stands in RocksDB in the order
 * of its due time, a punctuator sends what is due, and every step is part of a transaction.
 *
 * <pre>StreamsScheduler BOOTSTRAP APPLICATION_ID INPUT TARGET STATE_DIR [STREAMS_SETTING=VALUE...]</pre>
 *
 * A setting given as an argument wins over those below, so {@code num.stream.threads=2} or {@code group.instance.id=a} can be tried.
 * Prints {@code RUNNING} when it owns its partitions and has restored their stores.
 */
public final class StreamsScheduler {
    static final String STORE = "due";
    /** A compacted topic: what was sent leaves tombstones, and a restart reads what is left of both. */
    private static final Map<String, String> CHANGELOG = Map.of();

    private StreamsScheduler() {}

    public static void main(String[] args) {
        if (args.length < 5) {
            System.err.println("usage: StreamsScheduler BOOTSTRAP APPLICATION_ID INPUT TARGET STATE_DIR [STREAMS_SETTING=VALUE...]");
            System.exit(2);
        }
        Properties settings = tuned(args[0], args[1], Path.of(args[4]));
        for (int i = 5; i < args.length; i++) {
            String[] setting = args[i].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        KafkaStreams streams = new KafkaStreams(topology(args[2], args[3]), settings);
        streams.setStateListener((now, before) -> System.out.println(now));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
    }

    private static Topology topology(String input, String target) {
        var store = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.Bytes(), Serdes.ByteArray())
                .withCachingDisabled()
                .withLoggingEnabled(CHANGELOG);
        return new Topology()
                .addSource("input", new ByteArrayDeserializer(), new ByteArrayDeserializer(), input)
                .addProcessor("delay", DelayProcessor::new, "input")
                .addStateStore(store, "delay")
                .addSink("target", target, new ByteArraySerializer(), new ByteArraySerializer(), "delay");
    }

    private static Properties tuned(String bootstrap, String application, Path stateDir) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDir.toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        // What is sent can be read only after the commit: the commit interval is part of every message's lateness.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 10);
        // A thread without input sleeps this long (100 ms by default) before it looks at its punctuators.
        settings.put(StreamsConfig.POLL_MS_CONFIG, 5);
        // Each entry is written once and read once: a cache only adds copies.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, BoundedRocksDB.class);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 0);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 * 1024);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64 * 1024 * 1024);
        // The transaction after a commit meets CONCURRENT_TRANSACTIONS for a few ms: ask again soon, as the worker of Sluice does.
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MS_CONFIG), 2);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MAX_MS_CONFIG), 10);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 2_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        // A dead member is noticed after this time (45 s by default): the same as the worker of Sluice.
        settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 6_000);
        settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), 1_500);
        return settings;
    }
}
