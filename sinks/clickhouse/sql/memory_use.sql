SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'
