ALTER TABLE {{name .Control "publications"}} ADD COLUMN IF NOT EXISTS early Bool DEFAULT false COMMENT 'published before the window had passed: the personal rows live on' AFTER dropped_at;
