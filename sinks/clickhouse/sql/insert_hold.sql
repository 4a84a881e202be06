INSERT INTO {{name .Control "holds"}}
    (hold, dataset, subject, organisation, starts_at, ends_at, reason, placed_by, placed_at, until_at, released_by, released_at)
SELECT
    {hold:UUID}, {dataset:String},
    if({subject:String} = '', toFixedString('', 16), sipHash128Keyed({{template "hold_key.sql" .}}, {subject:String})),
    if({organisation:String} = '', toFixedString('', 16), sipHash128Keyed({{template "hold_key.sql" .}}, {organisation:String})),
    {starts:DateTime64(3, 'UTC')}, {ends:DateTime64(3, 'UTC')},
    {reason:String}, {by:String}, {at:DateTime64(3, 'UTC')}, {until:DateTime64(3, 'UTC')}, '', toDateTime64(0, 3, 'UTC')
