{{- /* Whom a statement is about. The table lives as long as what is done. */ -}}
CREATE TABLE {{name .Control .PeopleTable}} (person UUID, identifier LowCardinality(String), subject String, until_at DateTime64(3, 'UTC'))
ENGINE = MergeTree ORDER BY subject
SETTINGS old_parts_lifetime = 0
