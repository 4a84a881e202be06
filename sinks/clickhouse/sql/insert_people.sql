INSERT INTO {{name .Control .PeopleTable}} (person, identifier, subject, until_at)
