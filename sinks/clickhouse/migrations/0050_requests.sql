CREATE TABLE IF NOT EXISTS {{name .Control "requests"}} (
    request UUID,
    asked_for LowCardinality(String) COMMENT 'the right',
    received_at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY request
COMMENT 'what data subjects have asked for';

CREATE TABLE IF NOT EXISTS {{name .Control "request_notes"}} (
    request UUID,
    event LowCardinality(String) COMMENT 'received, identity_pending, accepted, extended, executing, refused, cancelled or done',
    noted_at DateTime64(3, 'UTC'),
    reason String COMMENT 'code of a refusal, or why the time was extended',
    clause LowCardinality(String) COMMENT 'of a refusal',
    noted_by String,
    until_at DateTime64(3, 'UTC') COMMENT 'of an extension: the new end of the time for an answer; 1970: none',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (request, noted_at, event)
COMMENT 'what became of them';

CREATE TABLE IF NOT EXISTS {{name .Control "request_people"}} (
    request UUID,
    identifier LowCardinality(String) COMMENT 'column in which it stands',
    subject String COMMENT 'the identifier; deleted when the request is answered'
)
ENGINE = ReplacingMergeTree
ORDER BY (request, identifier, subject)
SETTINGS old_parts_lifetime = 0, cleanup_delay_period = 1, max_cleanup_delay_period = 1, cleanup_delay_period_random_add = 0
COMMENT 'whom open requests are about';
