// Package clickhouse keeps the personal, the anonymised and the control tables in
// ClickHouse, embedded or a server, through the same code.
//
// It promises that identifiers never stand in the text of a statement: they
// travel as blocks, as external tables, or stay inside the engine; that names are
// quoted in one place (quote); and that each statement stands in an .sql file
// under sql/, run from one place.
package clickhouse
