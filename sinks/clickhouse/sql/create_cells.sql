{{- /* CREATE TABLE … AS SELECT would fill a table of another name first, and leave it
       behind when it is killed. */ -}}
CREATE TABLE {{name .Control .CellTable}}
ENGINE = {{if .InMemory}}Memory{{else}}MergeTree ORDER BY tuple(){{end}}
EMPTY AS
{{template "cells.sql" .}}
