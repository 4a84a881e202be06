CREATE TABLE IF NOT EXISTS {{name .Control "leases"}}
(
    `name` String COMMENT 'the job that is run',
    `holder` String COMMENT 'the process that runs it: its machine, and something random',
    `ends` DateTime64(3, 'UTC') COMMENT 'when the lease runs out unless it is renewed'
)
ENGINE = KeeperMap({{literal .Path}})
PRIMARY KEY (`name`)
COMMENT 'who runs which job'
