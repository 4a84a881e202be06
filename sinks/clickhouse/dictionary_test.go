package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestDictionaryIsThatOfTheLiveTables compares the dictionary with what the engine says
// about the tables.
func TestDictionaryIsThatOfTheLiveTables(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, config.Facesoft)
	_, o := sinktest.Store(t, p)
	tables, err := clickhouse.Dictionary(p, o.Databases)
	if err != nil || len(tables) != 2 {
		t.Fatalf("%d tables are described: %v", len(tables), err)
	}
	for _, table := range tables {
		var got, want []string
		for _, c := range table.Columns {
			got = append(got, c.Name+" "+c.Type)
			if c.Meaning == "" || !strings.HasPrefix(c.Name, "lapse_") && c.Name != "day" && (c.Field == "" || c.Clause == "") {
				t.Errorf("%s.%s is described as %+v", table.Name, c.Name, c)
			}
		}
		for i, row := range query(t, o, fmt.Sprintf("SELECT name, type, comment FROM system.columns WHERE database = '%s' AND table = '%s' ORDER BY position", o.Databases.Analytics, table.Name)) {
			want = append(want, fmt.Sprint(row[0], " ", row[1]))
			comment := fmt.Sprint(row[2]) // what a column means, by which clause, and at which levels
			if c := table.Columns[i]; !strings.HasPrefix(comment, c.Meaning) || c.Clause != "" && !strings.Contains(comment, c.Field+" ("+c.Clause+")") || len(c.Levels) > 0 && !strings.HasSuffix(comment, "; levels: "+strings.Join(c.Levels, ", ")) {
				t.Errorf("%s.%s has the comment %q", table.Name, c.Name, comment)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is described as %q, and is %q", table.Name, got, want)
		}
		d, _ := p.Dataset(table.Name)
		if table.K != d.Publish.K || table.Database != o.Databases.Analytics || len(table.Chain) != len(d.Publish.Chain) {
			t.Errorf("%s: k=%d, %d vectors, in %s", table.Name, table.K, len(table.Chain), table.Database)
		}
	}
}

// TestGrantsAreStatements has the engine parse them: users cannot be made by SQL there.
func TestGrantsAreStatements(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	for _, user := range []string{"analyst", "o`brien; DROP"} {
		statements := clickhouse.AnalystGrants(o.Databases, user)
		for _, s := range append(clickhouse.ServiceGrants(o.Databases, user, false), statements...) {
			quoted := "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
			if got := query(t, o, "SELECT formatQuerySingleLine("+quoted+")"); got[0][0].(string) == "" {
				t.Errorf("%s: %v", s, got)
			}
		}
		for _, s := range clickhouse.ServiceGrants(o.Databases, user, false)[2:] {
			if strings.Contains(s, "ON *") {
				t.Errorf("%s: Lapse's own user has rights everywhere", s)
			}
		}
		last := statements[len(statements)-1]
		if !strings.Contains(last, o.Databases.Analytics) || strings.Contains(strings.Join(statements, " "), o.Databases.Telemetry) {
			t.Errorf("granted by %q", statements)
		}
	}
}
