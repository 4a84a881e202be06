package clickhouse

import (
	"fmt"
	"strings"
)

// privileges are those that Lapse needs in each of its databases; those of the
// embedded engine's user include them. DROP as a whole cannot be held in one database: it
// has parts that belong to none.
var privileges = []string{"SHOW", "SELECT", "INSERT", "ALTER", "CREATE DATABASE", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW", "OPTIMIZE"}

// What Lapse asks the server about, beside what every user may know, and the engines of
// its tables.
var (
	systemTables = []string{"data_skipping_indices", "detached_parts", "disks", "metrics", "mutations", "parts", "projections"}
	tableEngines = []string{"MergeTree", "ReplacingMergeTree", "Memory", "Set", "KeeperMap"}
)

// ServiceGrants returns the statements that make Lapse's own user on a server: one that
// may do what runs need in its databases, and nothing elsewhere. A node of a cluster asks
// others, too.
func ServiceGrants(db Databases, user string, cluster bool) []string {
	statements := []string{
		fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED WITH sha256_password BY '<password>'", quote(user)),
		fmt.Sprintf("REVOKE ALL ON *.* FROM %s", quote(user)),
	}
	grant := func(what string) { statements = append(statements, fmt.Sprintf("GRANT %s TO %s", what, quote(user))) }
	for _, database := range []string{db.Telemetry, db.Analytics, db.Control, db.Readable} {
		grant(fmt.Sprintf("%s ON %s.*", strings.Join(privileges, ", "), quote(database)))
	}
	for _, table := range systemTables {
		grant("SELECT ON system." + table)
	}
	for _, engine := range tableEngines {
		grant("TABLE ENGINE ON " + engine)
	}
	if cluster {
		grant("SELECT ON system.clusters")
		grant("TABLE ENGINE ON " + distributedEngine)
		grant("REMOTE ON *.*")
	}
	return statements
}

// AnalystGrants returns the statements that make a user on a server who can read the
// anonymised database and nothing else. The password is to be put into the first of them:
// the client asks for none.
func AnalystGrants(db Databases, user string) []string { return grants(db.Analytics, user) }

// ReaderGrants returns those of a user who can read the personal tables, without people who
// have asked for restriction, and nothing else.
func ReaderGrants(db Databases, user string) []string { return grants(db.Readable, user) }

func grants(database, user string) []string {
	return []string{
		fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED WITH sha256_password BY '<password>' SETTINGS readonly = 2 READONLY, max_memory_usage = 8000000000 MAX 8000000000, max_execution_time = 600 MAX 600", quote(user)),
		fmt.Sprintf("REVOKE ALL ON *.* FROM %s", quote(user)),
		fmt.Sprintf("GRANT SHOW, SELECT ON %s.* TO %s", quote(database), quote(user)),
	}
}
