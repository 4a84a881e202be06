package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/sinks/spool"
)

// What is planted of one person each: an identifier, an e-mail address, a device, a name in
// URLs and in free text, and an address in the network 198.18.0.0/15.
const (
	plantedWord    = "quillfeather"
	plantedNetwork = "198.18."
)

// TestNothingPlantedIsLeft plants people among others, and looks for them after their
// day has been anonymised: in every column of every table, and in every byte of every
// file, of active, inactive and detached parts, logs, spool and audit log, and in all that
// is printed (I4, I5, I9). Half of them come by a file, half by the spool.
// A long run (LAPSE_SOAK) plants 10,000 among 2 million events.
func TestNothingPlantedIsLeft(t *testing.T) {
	t.Parallel()
	events, people := 20_000, 500
	if os.Getenv("LAPSE_SOAK") != "" {
		events, people = 2_000_000, 10_000
	}
	installedLibrary(t)
	w := &world{t: t, dir: t.TempDir()}
	w.must("init", w.dir)
	file := plantPeople(t, events, people)
	w.spoolHalf(file)
	printed := w.must("run", "ingest", "--as-of", received, "--log-level", "debug", file)
	printed += w.must("run", "ingest", "--as-of", received, "--log-level", "debug")
	tables, files := w.planted()
	if tables < people || files == 0 {
		t.Fatalf("they are found in %d rows and %d files before: the search shows little", tables, files)
	}
	printed += w.must(append(jobCommand("anonymise"), "--log-level", "debug")...)
	if tables, files := w.planted(); tables > 0 || files > 0 {
		t.Errorf("they are found in %d rows and %d files", tables, files)
	}
	if printed = strings.ToLower(printed); strings.Contains(printed, plantedWord) || strings.Contains(printed, plantedNetwork) {
		t.Error("they are found in what was printed")
	}
	w.connected(func(c driver.Conn) {
		if n := w.countOf(c, "SELECT count() FROM analytics.events"); n < uint64(events-2*people)*9/10 {
			t.Errorf("%d rows of %d are published: the search shows little", n, events)
		}
	})
}

// plantPeople writes events of 300 ordinary people over 30 days, and of others one event each.
func plantPeople(t *testing.T, events, people int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "events.ndjson")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	for i := range events {
		at := fmt.Sprintf("2024-01-%02dT%02d:00:00.000Z", 1+i/7%30, 10+i%2)
		user, name, url, referrer := fmt.Sprint("u", i%311), "Home", "https://shop.example/home", ""
		ip, device := fmt.Sprintf("192.0.2.%d", i%311%250), fmt.Sprint("device-", i%311)
		if n := i / (events / people); i%(events/people) == 0 {
			user, ip, device = fmt.Sprintf("%s-%d", plantedWord, n), fmt.Sprintf("%s%d.%d", plantedNetwork, n/250, n%250), fmt.Sprintf("device-%s-%d", plantedWord, n)
			switch n % 4 {
			case 0:
				url = fmt.Sprintf("https://shop.example/people/%s-%d", plantedWord, n)
			case 1:
				url = fmt.Sprintf("https://shop.example/home?mail=mallory.%d@%s.example", n, plantedWord)
			case 2:
				name = fmt.Sprintf("Welcome back, Mallory %s %d", strings.ToUpper(plantedWord), n)
			case 3:
				referrer = fmt.Sprintf("https://%s-%d.example/?q=mallory+%s", plantedWord, n, plantedWord)
			}
		}
		_, _ = fmt.Fprintf(out, `{"type":"page","messageId":"m%d","userId":%q,"anonymousId":"a%[2]s","originalTimestamp":%q,"name":%q,"properties":{"url":%q,"referrer":%q},"context":{"ip":%q,"device":{"id":%q}}}`+"\n",
			i, user, at, name, url, referrer, ip, device)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// spoolHalf moves the second half of a file's lines into the spool, as the collector does.
func (w *world) spoolHalf(path string) {
	w.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := spool.Open(spool.Options{Dir: w.settings().SpoolDir(), SegmentBytes: 64 << 20, SegmentAge: time.Hour, MaxBytes: 8 << 30}, time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	half := len(text) / 2
	half += bytes.IndexByte(text[half:], '\n') + 1
	for rest := text[half:]; len(rest) > 0; {
		batch := rest[:min(len(rest), 500_000)]
		batch = batch[:bytes.LastIndexByte(batch, '\n')+1]
		if err := s.Append(w.t.Context(), batch); err != nil {
			w.t.Fatal(err)
		}
		rest = rest[len(batch):]
	}
	if err := errors.Join(s.Close(), os.WriteFile(path, text[:half], 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// planted counts the rows of all tables, and the files, in which something planted is.
func (w *world) planted() (rows, files int) {
	w.t.Helper()
	w.connected(func(c driver.Conn) {
		var tables []string
		err := c.QueryRow(w.t.Context(), "SELECT groupArray(concat('`', database, '`.`', name, '`')) FROM system.tables WHERE database IN ('telemetry', 'analytics', 'lapse')").Scan(&tables)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, table := range tables {
			rows += int(w.countOf(c, fmt.Sprintf(`SELECT countIf(positionCaseInsensitive(row, '%s') > 0 OR position(row, '%s') > 0)
				FROM (SELECT toString(tuple(*)) AS row FROM %s)`, plantedWord, plantedNetwork, table)))
		}
	})
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreMissing(err)
		}
		found, err := fileHolds(path, plantedWord, plantedNetwork)
		if found {
			files++
		}
		return ignoreMissing(err)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows, files
}

// ignoreMissing passes over files that the engine removes while they are looked for.
func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// fileHolds looks for words, in lower case, in a file of any size.
func fileHolds(path string, words ...string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // read only
	const overlap = 64
	buffer, kept := make([]byte, 1<<20), 0
	for {
		n, err := io.ReadFull(f, buffer[kept:])
		seen := bytes.ToLower(buffer[:kept+n])
		for _, word := range words {
			if bytes.Contains(seen, []byte(word)) {
				return true, nil
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buffer, buffer[len(buffer)-overlap:])
	}
}

// connected calls do with a connection to the engine.
func (w *world) connected(do func(driver.Conn)) {
	w.t.Helper()
	i, err := w.opener().open(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	do(connect(w.t, i))
}

func (w *world) countOf(c driver.Conn, sql string) (n uint64) {
	w.t.Helper()
	if err := c.QueryRow(w.t.Context(), sql).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}
