SELECT sum(read), sum(stored), sum(quarantined), sum(refused), sum(duplicate) FROM {{name .Control "sources"}} FINAL
