SELECT name, default_expression
FROM system.columns
WHERE database = {{literal .Control}} AND table = 'audit' AND default_kind = 'DEFAULT' AND name != 'copied_at'
ORDER BY position
