package dev.sluice.bench;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/** One memory limit for the stores of all partitions; without it each takes a block cache of 50 MB and memtables of 48 MB. */
public final class BoundedRocksDB implements RocksDBConfigSetter {
    private static final long CACHE_BYTES = Long.getLong("scheduler.rocksdb.bytes", 64L * 1024 * 1024);
    private static final Cache CACHE = new LRUCache(CACHE_BYTES);
    private static final WriteBufferManager MEMTABLES = new WriteBufferManager(CACHE_BYTES / 2, CACHE);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(CACHE);
        table.setCacheIndexAndFilterBlocks(true);
        options.setTableFormatConfig(table);
        options.setWriteBufferManager(MEMTABLES);
    }

    @Override
    public void close(String store, Options options) {
        // The cache and the memtable limit belong to all stores.
    }
}
