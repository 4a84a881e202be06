CREATE TABLE {{name .Control .RowTable}} (partition String, record UUID, person UUID, held Bool, at DateTime64(3, 'UTC'), part LowCardinality(String))
ENGINE = MergeTree ORDER BY tuple()
SETTINGS old_parts_lifetime = 0
