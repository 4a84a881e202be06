CREATE TABLE IF NOT EXISTS {{name .Control "request_terms"}} (
    request UUID,
    term LowCardinality(String) COMMENT 'what is asked for beside the right: a value put right, a category, a recipient',
    value String COMMENT 'may be personal; deleted when the request is answered'
)
ENGINE = ReplacingMergeTree
ORDER BY (request, term, value)
SETTINGS old_parts_lifetime = 0, cleanup_delay_period = 1, max_cleanup_delay_period = 1, cleanup_delay_period_random_add = 0
COMMENT 'what open requests ask for in particular';
