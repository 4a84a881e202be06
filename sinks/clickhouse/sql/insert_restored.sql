INSERT INTO {{name .Control "training_marks"}} (item, event, at)
