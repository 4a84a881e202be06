INSERT INTO {{name .Control .CellTable}}
{{template "cells.sql" .}}
