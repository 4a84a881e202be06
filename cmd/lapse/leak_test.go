package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/clickhouse"
)

// TestNoIdentifierLeaves looks for every direct identifier of the input, after all
// jobs have run at the most talkative log level, in all that is written for others
// to read: what the program prints and logs, the engine's log, the audit log, and
// the anonymised database (I4, I9).
func TestNoIdentifierLeaves(t *testing.T) {
	t.Parallel()
	c := smallTraffic()
	c.AccessLines = 17_000 // enough for texts to be published
	w := makeWorld(t, c)
	w.keepEngine()
	identifiers := w.identifiers()
	if len(identifiers) < 500 {
		t.Fatalf("the input holds only %d identifiers", len(identifiers))
	}
	var printed bytes.Buffer
	for _, line := range [][]string{
		jobCommand("ingest"), {"plan", "--as-of", expired}, {"plan", "--as-of", expired, "--sql"},
		jobCommand("anonymise"), jobCommand("purge"), {"status"}, {"audit", "log"}, {"audit", "verify"},
		{"status", "--output", "json"}, {"audit", "log", "--output", "json"},
	} {
		printed.WriteString(w.must(append(line, "--log-level", "debug")...))
	}
	output := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(output, printed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	searched := []string{output}
	for _, root := range []string{w.settings().AuditDir(), filepath.Join(w.dir, "data", "clickhouse")} {
		searched = append(searched, readableFiles(t, root)...)
	}
	for _, path := range searched {
		findIdentifiers(t, path, identifiers)
	}
	w.findPublished(identifiers)
}

// readableFiles lists the audit log's files or, in the engine's folder, its logs
// and settings: its tables are searched by query.
func readableFiles(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "store" || d.Name() == "data") {
			return fs.SkipDir
		}
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", root, len(files), err)
	}
	return files
}

// findPublished reports the identifiers in any text of the anonymised database.
func (w *world) findPublished(identifiers map[string]bool) {
	t := w.t
	t.Helper()
	i := &installation{settings: w.settings()}
	defer i.Close() //nolint:errcheck // nothing was written
	o, err := i.analystOptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, columns, err := clickhouse.QueryAnalytics(t.Context(), o, `
		SELECT table, name FROM system.columns
		WHERE database = 'analytics' AND (type LIKE '%String%')`)
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for _, c := range columns {
		table, column := c[0].(string), c[1].(string)
		_, values, err := clickhouse.QueryAnalytics(t.Context(), o, "SELECT DISTINCT toString(`"+column+"`) FROM `"+table+"`")
		if err != nil {
			t.Fatal(err)
		}
		texts += len(values)
		for _, v := range values {
			text := v[0].(string)
			for id := range identifiers {
				if strings.Contains(text, id) {
					t.Errorf("%s.%s holds %q", table, column, id)
				}
			}
			if strings.Contains(text, "?") {
				t.Errorf("%s.%s holds the query string of %q", table, column, text)
			}
		}
	}
	if texts < 20 {
		t.Errorf("only %d texts were published: the search shows little", texts)
	}
}
