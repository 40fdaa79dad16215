package dev.sluice.bench;

import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.annotation.EnableKafka;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.retrytopic.RetryTopicConfiguration;
import org.springframework.kafka.retrytopic.RetryTopicConfigurationBuilder;
import org.springframework.kafka.retrytopic.RetryTopicConfigurationSupport;
import org.springframework.kafka.retrytopic.RetryTopicHeaders;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;

/**
 * An application that fails every record of its source once and handles it when it comes back, on the retry topics of Spring Kafka: one hop of one second.
 *
 * <pre>java -Dbootstrap=HOST:PORT -Dsource=TOPIC -Dtotal=N -Dmode=defaults|tuned SpringRetry</pre>
 *
 * Prints RUNNING when it listens, and one line of JSON when all records have come back.
 */
public final class SpringRetry {
    static final int PARTITIONS = 6;

    private SpringRetry() {}

    public static void main(String[] args) {
        var context = new AnnotationConfigApplicationContext(Config.class);
        context.registerShutdownHook();
        System.out.println("RUNNING");
    }

    /** What comes back, and when. */
    public static final class Application {
        private final String source;
        private final long[] latenessMs;
        private int count;
        private long beganMs;

        Application(String source, int total) {
            this.source = source;
            this.latenessMs = new long[total];
        }

        @KafkaListener(id = "main", topics = "${source}", groupId = "${source}.group")
        public void listen(ConsumerRecord<byte[], byte[]> record) {
            if (record.topic().equals(source)) {
                began(System.currentTimeMillis());
                throw new IllegalStateException("order " + record.offset() + " failed");
            }
            came(record, System.currentTimeMillis());
        }

        private synchronized void began(long nowMs) {
            if (beganMs == 0) beganMs = nowMs;
        }

        private synchronized void came(ConsumerRecord<byte[], byte[]> record, long nowMs) {
            var due = record.headers().lastHeader(RetryTopicHeaders.DEFAULT_HEADER_BACKOFF_TIMESTAMP);
            if (count < latenessMs.length) latenessMs[count] = nowMs - new BigInteger(due.value()).longValueExact();
            if (++count != latenessMs.length) return;
            java.util.Arrays.sort(latenessMs);
            System.out.printf(
                    "{\"count\":%d,\"beganMs\":%d,\"lastMs\":%d,\"p50Ms\":%d,\"maxMs\":%d,\"early\":%d}%n",
                    count, beganMs, nowMs, latenessMs[count / 2], latenessMs[count - 1],
                    java.util.Arrays.stream(latenessMs).filter(late -> late < 0).count());
        }
    }

    /** At defaults, what the documentation shows; tuned, all that it offers for throughput. */
    @Configuration
    @EnableKafka
    public static class Config extends RetryTopicConfigurationSupport {
        @Value("${bootstrap}") private String bootstrap;
        @Value("${source}") private String source;
        @Value("${total}") private int total;

        private boolean tuned() {
            return "tuned".equals(System.getProperty("mode"));
        }

        @Bean
        Application application() {
            return new Application(source, total);
        }

        @Bean
        KafkaAdmin admin() {
            return new KafkaAdmin(Map.of("bootstrap.servers", bootstrap));
        }

        @Bean
        KafkaTemplate<byte[], byte[]> template() {
            Map<String, Object> settings = new HashMap<>();
            settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            settings.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
            settings.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
            // Each record is sent and waited for alone: to linger would only add to every one of them.
            if (tuned()) settings.put(ProducerConfig.LINGER_MS_CONFIG, 0);
            return new KafkaTemplate<>(new DefaultKafkaProducerFactory<>(settings));
        }

        @Bean
        ConcurrentKafkaListenerContainerFactory<byte[], byte[]> kafkaListenerContainerFactory() {
            Map<String, Object> settings = new HashMap<>();
            settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
            settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
            settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            var factory = new ConcurrentKafkaListenerContainerFactory<byte[], byte[]>();
            factory.setConsumerFactory(new DefaultKafkaConsumerFactory<>(settings));
            // Read when the containers are made, below the defaults of the retry topics.
            if (tuned()) factory.setConcurrency(PARTITIONS);
            return factory;
        }

        @Bean
        TaskScheduler scheduler() {
            var scheduler = new ThreadPoolTaskScheduler();
            scheduler.setPoolSize(PARTITIONS);
            return scheduler;
        }

        @Bean
        RetryTopicConfiguration retries(KafkaTemplate<byte[], byte[]> template) {
            var builder = RetryTopicConfigurationBuilder.newInstance().maxAttempts(2).fixedBackOff(1_000L).doNotConfigureDlt();
            if (tuned()) builder.autoCreateTopics(true, PARTITIONS, (short) 1).concurrency(PARTITIONS);
            return builder.create(template);
        }

        @Override
        protected void configureCustomizers(CustomizersConfigurer customizers) {
            // By default the rest of a poll is fetched again after every failure.
            if (tuned()) customizers.customizeErrorHandler(handler -> handler.setSeekAfterError(false));
        }
    }
}
