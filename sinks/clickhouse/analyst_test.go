package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// canary stands in every place that an analyst must not see.
const canary = "canary-7f3a91"

// endless are the system tables that go on for ever, and tell nothing.
var endless = []string{"numbers", "numbers_mt", "zeros", "zeros_mt", "primes"}

// findsNoCanary looks through every system table as an analyst, after others have
// had the canary in their statements, their mutations and their errors.
func findsNoCanary(t *testing.T, analyst, lapse clickhouse.Options) {
	t.Helper()
	if _, _, err := clickhouse.QueryAnalytics(t.Context(), lapse, "SELECT toUInt8('"+canary+"')"); err == nil {
		t.Error("the statement was to fail")
	}
	execute(t, lapse, "ALTER TABLE telemetry.visits DELETE WHERE user = '"+canary+" none' SETTINGS mutations_sync = 2")
	readable, hidden := 0, 0
	for _, row := range query(t, lapse, "SELECT name FROM system.tables WHERE database = 'system'") {
		name := row[0].(string)
		if slices.Contains(endless, name) {
			continue
		}
		// To an analyst all of it is text; the names of columns are personal too.
		_, rows, err := clickhouse.QueryAnalytics(t.Context(), analyst, "SELECT toString(tuple(*)) FROM system.`"+name+"`")
		if err != nil {
			continue
		}
		readable++
		if text := fmt.Sprint(rows); strings.Contains(text, canary) || strings.Contains(text, "lapse_record") || strings.Contains(text, "quarantine") {
			t.Errorf("system.%s tells an analyst of others' data", name)
		}
		if text := fmt.Sprint(query(t, lapse, "SELECT toString(tuple(*)) FROM system.`"+name+"`")); strings.Contains(text, "lapse_record") {
			hidden++
		}
	}
	if readable == 0 || hidden == 0 {
		t.Errorf("%d system tables were read, of which %d tell Lapse of personal columns: the test proves nothing", readable, hidden)
	}
}

// analyst returns the options of the engine's analyst, and those of Lapse itself,
// on databases in which the canary sits everywhere but among what is published.
// Only one test may ask for it: the analyst's database has a fixed name.
func analyst(t *testing.T) (analyst, lapse clickhouse.Options) {
	t.Helper()
	e := sinktest.Engine(t)
	lapse = clickhouse.Options{
		Addresses: []string{e.Address}, User: e.User, Password: e.Password,
		Databases: clickhouse.DatabasesWithPrefix(""), Policy: sinktest.Policy(t, []byte(visits)), Sync: e.Sync,
	}
	s, err := clickhouse.Open(t.Context(), lapse)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rows []visit
	for i := range 5 {
		rows = append(rows, visit{user: fmt.Sprint(canary, i), visitor: canary, path: "/p", country: "GB"}, visit{day: 1, user: canary, path: "/" + canary})
	}
	insert(t, s, 1, rows)
	publish(t, s, day(0), day(1))
	record(t, s, sinks.Source{Digest: sinks.NewID(), State: sinks.SourceComplete, Path: "/in/" + canary, AsOf: newYear})
	analyst = lapse
	analyst.User, analyst.Password = e.AnalystUser, e.AnalystPassword
	return analyst, lapse
}

// readerReadsTheViews looks as whoever may read personal data: at the views of the tables,
// and at nothing else.
func readerReadsTheViews(t *testing.T, lapse clickhouse.Options) {
	t.Helper()
	e := sinktest.Engine(t)
	reader := lapse
	reader.User, reader.Password = e.ReaderUser, e.ReaderPassword
	_, rows, err := clickhouse.QueryReadable(t.Context(), reader, "SELECT count() FROM visits")
	if err != nil || fmt.Sprint(rows) != "[[10]]" {
		t.Errorf("the reader sees %v: %v", rows, err)
	}
	for _, forbidden := range []string{
		"SELECT * FROM telemetry.visits", "SELECT * FROM lapse.holds", "SELECT * FROM lapse.hold_key", "SELECT * FROM lapse.quarantine", "SELECT lapse_record FROM visits",
		"INSERT INTO visits SELECT * FROM visits", "CREATE VIEW readable.mine AS SELECT 1", "DROP VIEW visits", "ALTER TABLE telemetry.visits DELETE WHERE 1",
	} {
		if _, rows, err := clickhouse.QueryReadable(t.Context(), reader, forbidden); err == nil {
			t.Errorf("%s: gave the reader %v", forbidden, rows)
		}
	}
}

func TestAnalystReadsWhatIsPublishedAndNothingElse(t *testing.T) {
	t.Parallel()
	analyst, lapse := analyst(t)
	if got := query(t, analyst, "SELECT page, count() FROM visits GROUP BY page"); fmt.Sprint(got) != "[[/p 5]]" {
		t.Errorf("the analyst sees %v", got)
	}
	if got := query(t, analyst, "SHOW DATABASES"); fmt.Sprint(got) != "[[analytics]]" {
		t.Errorf("the analyst sees the databases %v", got)
	}
	for _, allowed := range []string{
		"SELECT * FROM analytics.visits", "SHOW TABLES", "DESCRIBE TABLE visits", "SHOW CREATE TABLE visits", "EXPLAIN SELECT * FROM visits",
		"WITH 2 AS x SELECT x + count() FROM visits AS a INNER JOIN visits AS b USING (day)", "SELECT count() FROM visits SETTINGS max_threads = 1",
	} {
		if _, _, err := clickhouse.QueryAnalytics(t.Context(), analyst, allowed); err != nil {
			t.Errorf("%s: %v", allowed, err)
		}
	}
	for _, forbidden := range []string{
		// What is personal, in every way to name it.
		"SELECT * FROM telemetry.visits", "SELECT * FROM readable.visits",
		"SELECT count() FROM telemetry.visits",
		"SELECT 1 FROM analytics.visits WHERE exists(SELECT 1 FROM telemetry.visits)",
		"SELECT * FROM lapse.quarantine", "SELECT * FROM lapse.training", "SELECT * FROM lapse.sources", "SELECT * FROM lapse.publications",
		"SELECT * FROM merge('telemetry', '.*')",
		"SELECT * FROM remote('127.0.0.1', 'telemetry', 'visits')", "SELECT * FROM remoteSecure('127.0.0.1', 'telemetry', 'visits')",
		"SELECT * FROM cluster('default', 'telemetry', 'visits')", "SELECT * FROM clusterAllReplicas('default', telemetry.visits)",
		"SELECT * FROM mergeTreeIndex('telemetry', 'visits')", "SELECT * FROM mergeTreeProjection('telemetry', 'visits', 'p')",
		"SELECT * FROM mergeTreeTextIndex('telemetry', 'visits', 'i')", "SELECT * FROM mergeTreeAnalyzeIndexes('telemetry', 'visits')", "SELECT * FROM loop('telemetry', 'visits')", "SELECT * FROM dictionary('telemetry.d')", "SELECT dictGet('telemetry.d', 'user', 'x')",
		"SELECT joinGet('telemetry.visits', 'user', 'x')", "SELECT hasColumnInTable('telemetry', 'visits', 'user')",
		"DESCRIBE TABLE telemetry.visits", "SHOW CREATE TABLE telemetry.visits", "CHECK TABLE telemetry.visits", "EXISTS TABLE telemetry.visits",
		"SELECT * FROM view(SELECT * FROM telemetry.visits)",
		"EXPLAIN ESTIMATE SELECT * FROM telemetry.visits",
		// What others do.
		"SHOW GRANTS FOR lapse", "SHOW CREATE USER lapse", "SHOW USERS", "KILL QUERY WHERE 1", "SYSTEM FLUSH LOGS", "SYSTEM STOP MERGES", "SYSTEM SHUTDOWN",
		// The machine and the network.
		"SELECT file('/etc/passwd')", "SELECT * FROM icebergLocal('/tmp')", "SELECT * FROM deltaLakeLocal('/tmp')", "SELECT * FROM paimonLocal('/tmp')", "SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')",
		"SELECT * FROM s3('http://127.0.0.1/b/k', 'LineAsString')", "SELECT * FROM executable('id', 'LineAsString', 'x String')",
		"SELECT * FROM mysql('127.0.0.1:3306', 'd', 't', 'u', 'p')", "SELECT * FROM postgresql('127.0.0.1:5432', 'd', 't', 'u', 'p')", "SELECT * FROM sqlite('/tmp/x', 't')",
		"SELECT * FROM jdbc('x', 'd', 't')", "SELECT * FROM hdfs('hdfs://127.0.0.1/x', 'LineAsString')", "SELECT * FROM filesystem('/')", "SELECT * FROM redis('127.0.0.1:6379', 'k', 'k String, v String')",
		"INSERT INTO FUNCTION file('/tmp/lapse-analyst', 'LineAsString') SELECT 'x'", "INSERT INTO FUNCTION url('http://127.0.0.1/', 'LineAsString') SELECT page FROM analytics.visits",
		"BACKUP TABLE analytics.visits TO File('/tmp/lapse-analyst')",
		// Any change.
		"INSERT INTO analytics.visits SELECT * FROM analytics.visits", "INSERT INTO telemetry.visits (user) VALUES ('x')",
		"CREATE TABLE analytics.mine (x String) ENGINE = MergeTree ORDER BY x", "CREATE TEMPORARY TABLE mine (x String)", "CREATE VIEW analytics.mine AS SELECT * FROM telemetry.visits",
		"CREATE DATABASE mine", "CREATE USER mine", "CREATE ROLE mine", "CREATE FUNCTION mine AS x -> x", "CREATE NAMED COLLECTION mine AS k = 'v'",
		"GRANT SELECT ON telemetry.* TO analyst", "ALTER USER analyst SETTINGS readonly = 0", "SET readonly = 0", "SELECT 1 SETTINGS readonly = 0",
		"ALTER TABLE analytics.visits DELETE WHERE 1", "ALTER TABLE analytics.visits ADD COLUMN x String", "ALTER TABLE analytics.visits DROP PARTITION ID '20240101-0'",
		"DELETE FROM analytics.visits WHERE 1", "TRUNCATE TABLE analytics.visits", "DROP TABLE analytics.visits", "RENAME TABLE analytics.visits TO analytics.x", "OPTIMIZE TABLE analytics.visits",
		"DETACH TABLE analytics.visits", "DROP DATABASE telemetry", "EXCHANGE TABLES analytics.visits AND telemetry.visits",
	} {
		columns, rows, err := clickhouse.QueryAnalytics(t.Context(), analyst, forbidden)
		if err == nil {
			t.Errorf("%s: gave %v %v", forbidden, columns, rows)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error tells %v", forbidden, err)
		}
	}
	for harmless, want := range map[string]string{ // what an analyst may ask, and hears nothing
		"SHOW TABLES FROM telemetry":                              "[]",
		"SELECT DISTINCT page FROM merge(REGEXP('.*'), 'visits')": "[[/p]]",
	} {
		if got := query(t, analyst, harmless); fmt.Sprint(got) != want {
			t.Errorf("%s: gave %v", harmless, got)
		}
	}
	findsNoCanary(t, analyst, lapse)
	readerReadsTheViews(t, lapse)
	if got := query(t, lapse, "SELECT (SELECT count() FROM telemetry.visits), (SELECT count() FROM analytics.visits), (SELECT count() FROM system.databases WHERE name = 'mine')"); fmt.Sprint(got) != "[[10 5 0]]" {
		t.Errorf("afterwards there are %v", got)
	}
}
