package jobs_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

func zstded(content []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(content, nil)
}

func plain(content []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// january are the beginnings of the files of the company's first month, uncompressed,
// by their names.
func january() map[string][]byte {
	files := map[string][]byte{}
	defer func() {
		for name, content := range files {
			files[name] = bytes.Join(bytes.SplitAfterN(content, []byte("\n"), 301)[:min(300, lines(content))], nil)
		}
	}()
	for name, content := range company().files {
		switch name {
		case "telemetry/2024-01.ndjson.gz":
			files["telemetry.ndjson"] = plain(content)
		case "access/2024-01.log":
			files["access.log"] = content
		case "training/2024-01.ndjson":
			files["training.ndjson"] = content
		}
	}
	return files
}

// pages are n page calls of ten people, a minute apart: more than 32,768 are stored
// in more than one group.
func pages(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		at := end(0).Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		fmt.Fprintf(&b, `{"type":"page","messageId":"page-%d","userId":"user-%d","timestamp":%q,"context":{"page":{"url":"https://example.org/p"}}}`+"\n", i, i%10, at)
	}
	return b.Bytes()
}

func lines(content []byte) int { return bytes.Count(content, []byte("\n")) }

// held describes the rows of all personal tables, but not which file each came from.
func (s *site) held() string {
	s.Helper()
	var b strings.Builder
	for _, table := range []string{"{personal}.events", "{personal}.accounts", "{personal}.enquiries", "{personal}.requests", "{control}.training", "{control}.quarantine"} {
		except := "lapse_source"
		if strings.HasSuffix(table, "training") {
			except += ", item" // random
		}
		fmt.Fprintln(&b, table, s.query("SELECT count(), groupBitXor(sipHash64(toString(tuple(* EXCEPT (" + except + "))))) FROM " + table)[0])
	}
	return b.String()
}

// total adds up what the run that ended last has counted.
func total(r *jobs.Report) (sum account) {
	for _, o := range r.Outcomes {
		n := func(c sinks.Count) int { return int(o.Counts[c]) }
		sum = sum.plus(account{n(sinks.CountRead), n(sinks.CountStored), n(sinks.CountQuarantined), n(sinks.CountRefused), n(sinks.CountDuplicate)})
	}
	return sum
}

func TestFileReadTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	var paths []string
	for name, content := range january() {
		paths = append(paths, s.write(name, content))
	}
	s.ingest(end(1), paths...)
	before := s.state()
	for _, again := range []struct {
		asOf  time.Time
		paths []string
	}{
		{end(1), paths}, {end(5), paths}, {end(0), paths}, {end(1), []string{s.input()}}, {end(1), append(paths, paths...)},
	} {
		if report := s.ingest(again.asOf, again.paths...); report.Steps != 0 || report.Result != sinks.ResultUnchanged {
			t.Errorf("as of %s: %d steps, %s", again.asOf, report.Steps, report.Result)
		}
	}
	if after := s.state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	s.audited()
}

func TestCopiesOfAFileAreDuplicates(t *testing.T) {
	t.Parallel()
	for name, content := range january() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, config.Facesoft)
			read := total(s.ingest(end(1), s.write(name, content)))
			if read.stored == 0 {
				t.Fatalf("%+v", read)
			}
			before := s.held()
			for copied, content := range map[string][]byte{
				name + ".gz": gzipped(content), name + ".zst": zstded(content), name + ".2": append(bytes.Clone(content), '\n'),
				"in-two-members.gz": append(gzipped(content[:len(content)/2]), gzipped(content[len(content)/2:])...),
				"misnamed.txt":      gzipped(append(bytes.Clone(content), '\n', '\n')),
			} {
				want := account{read: read.read, duplicate: read.read}
				if got := total(s.ingest(end(1), s.write(copied, content))); got != want {
					t.Errorf("%s: %+v, want %+v", copied, got, want)
				}
				if after := s.held(); after != before {
					t.Errorf("%s: before:\n%s\nafter:\n%s", copied, before, after)
				}
			}
		})
	}
}

// damaged are ways in which a compressed file can be broken.
func damaged(content []byte) map[string][]byte {
	z, zs := gzipped(content), zstded(content)
	flipped, flippedZstd := bytes.Clone(z), bytes.Clone(zs)
	flipped[len(z)*2/3] ^= 0x40
	flippedZstd[len(zs)*2/3] ^= 0x40
	return map[string][]byte{
		"gzip cut off in the middle":  z[:len(z)/2],
		"gzip cut off at its end":     z[:len(z)-3],
		"gzip with a flipped bit":     flipped,
		"gzip with something behind":  append(bytes.Clone(z), "something else"...),
		"zstd cut off in the middle":  zs[:len(zs)/2],
		"zstd with a flipped bit":     flippedZstd,
		"nothing but the gzip magic":  {0x1f, 0x8b},
		"zstd that asks for too much": {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0, 0, 0},
	}
}

func TestDamagedFileIsNamedAndHoldsNothingUp(t *testing.T) {
	t.Parallel()
	content, access := january()["telemetry.ndjson"], january()["access.log"]
	whole := newSite(t, config.Facesoft)
	whole.ingest(end(1), whole.write("damaged", gzipped(content)), whole.write("access.log", access))
	want := whole.held()
	for name, broken := range damaged(content) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, config.Facesoft)
			path := s.write("damaged", broken)
			s.write("access.log", access)
			for n := range 2 { // the error comes again, until somebody looks after it
				report, err := s.run(t.Context(), s.ingestJob(s.input()), end(1))
				if !errors.Is(err, sinks.ErrInvalidInput) || !strings.Contains(err.Error(), path) || report.Failed != 1 {
					t.Fatalf("%d failed: %v", report.Failed, err)
				}
				if want := []sinks.Result{sinks.ResultPartial, sinks.ResultFailed}[n]; report.Result != want {
					t.Errorf("the run ended as %s, want %s", report.Result, want)
				}
			}
			var other account
			for _, a := range s.accounts()["access.log"] {
				other = other.plus(a)
			}
			if other.read != lines(access) || len(s.accounts()) != 1 {
				t.Errorf("of the other file %+v was read; %d files are complete", other, len(s.accounts()))
			}
			// Mended, it is read whole, and nothing of it twice.
			s.write("damaged", gzipped(content))
			read := total(s.ingest(end(1), s.input()))
			if read.read != lines(content) || read.stored+read.duplicate+read.quarantined != read.read {
				t.Errorf("the mended file: %+v", read)
			}
			if got := s.held(); got != want {
				t.Errorf("held:\n%s\nwithout the damage:\n%s", got, want)
			}
			for _, e := range s.audited() {
				if e.Action == sinks.ActionIngestSource && e.Result == sinks.ResultFailed && e.Error != sinks.ErrorInvalidInput {
					t.Errorf("the log says %s", e.Error)
				}
			}
		})
	}
}

func TestNothingWaitsForADamagedFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	content := gzipped(pages(40_000))
	path := s.write("damaged", content[:len(content)-3])
	if _, err := s.run(t.Context(), s.ingestJob(path), end(1)); !errors.Is(err, sinks.ErrInvalidInput) {
		t.Fatal(err)
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n == 0 {
		t.Fatal("nothing of the file was stored: the test proves nothing")
	}
	s.anonymise(end(40))
	s.purge(end(40))
	if n := s.count("SELECT (SELECT count() FROM {personal}.events) + (SELECT count() FROM {control}.quarantine)"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestFileThatGrowsIsReadFromWhereItEnded(t *testing.T) {
	t.Parallel()
	for name, content := range january() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, config.Facesoft)
			var before account
			for n := 1; n <= 3; n++ {
				part := content[:len(content)*n/3]
				part = part[:bytes.LastIndexByte(part, '\n')+1]
				got := total(s.ingest(end(1), s.write(name, part)))
				// What was quarantined or stored before is a duplicate now.
				if got.read != lines(part) || got.duplicate < before.read || n == 1 && got.stored == 0 {
					t.Errorf("part %d: %+v, after %+v", n, got, before)
				}
				before = got
			}
			whole := newSite(t, config.Facesoft)
			whole.ingest(end(1), whole.write(name, content))
			if got, want := s.held(), whole.held(); got != want {
				t.Errorf("held:\n%s\nread at once:\n%s", got, want)
			}
		})
	}
}

func TestOddFilesAreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	line := func(n int) string {
		return fmt.Sprintf(`{"type":"page","messageId":"m%d","userId":"u","anonymousId":"a","timestamp":"2024-01-01T00:00:%02dZ"}`, n, n)
	}
	log := func(n int) string {
		return fmt.Sprintf(`192.0.2.1 - - [01/Jan/2024:00:00:%02d +0000] "GET / HTTP/1.1" 200 5 "-" "x"`, n)
	}
	policy := bytes.Replace(config.Facesoft, []byte("types: [track, page, screen]"), []byte("types: [track, page]"), 1)
	const mark = "\ufeff"
	for name, c := range map[string]struct {
		content string
		want    account
	}{
		"empty":                         {"", account{}},
		"nothing but line breaks":       {"\n\r\n\n", account{}},
		"no line break at the end":      {line(1) + "\n" + line(2), account{read: 2, stored: 2}},
		"a single line without a break": {line(1), account{read: 1, stored: 1}},
		"a log without a break":         {log(1) + "\n" + log(2), account{read: 2, stored: 2}},
		"Windows line breaks":           {line(1) + "\r\n" + line(2) + "\r\n", account{read: 2, stored: 2}},
		"blank lines in between":        {line(1) + "\n\n\n" + line(2) + "\n", account{read: 2, stored: 2}},
		"a record twice":                {line(1) + "\n" + line(2) + "\n" + line(1) + "\n", account{read: 3, stored: 2, duplicate: 1}},
		"the same line of a log twice":  {log(1) + "\n" + log(1) + "\n", account{read: 2, stored: 2}},
		"a torn last record":            {line(1) + "\n" + line(2)[:40], account{read: 2, stored: 1, quarantined: 1}},
		"neither JSON nor a log":        {"PNG\x00\x01\nwhatever\n", account{read: 2, quarantined: 2}},
		"a line of two megabytes":       {line(1) + "\n" + strings.Repeat("x", 2<<20) + "\n" + line(2) + "\n", account{read: 3, stored: 2, quarantined: 1}},
		"that line at the end":          {line(1) + "\n" + strings.Repeat("x", 2<<20), account{read: 2, stored: 1, quarantined: 1}},
		"a byte order mark":             {mark + line(1) + "\n" + line(2) + "\n", account{read: 2, stored: 2}},
		"that mark before a log":        {mark + log(1) + "\n" + log(2), account{read: 2, stored: 2}},
		"before an object on lines":     {mark + "{\n" + line(1)[1:] + "\n", account{read: 1, stored: 1}},
		"before nothing":                {mark, account{}},
		"on another line":               {line(1) + "\n" + mark + line(2) + "\n", account{read: 2, stored: 1, quarantined: 1}},
		"two of them":                   {mark + mark + line(1) + "\n" + line(2) + "\n", account{read: 2, stored: 1, quarantined: 1}},
		"an object on several lines":    {"\n{\n" + strings.ReplaceAll(line(1)[1:], ",", ",\n\t") + "\n", account{read: 1, stored: 1}},
		"a batch on several lines":      {"{\n  \"batch\": [\n" + line(1) + ",\n" + line(2) + "\n]}", account{read: 2, stored: 2}},
		"several lines that are broken": {"{\n" + line(1)[1:60], account{read: 2, quarantined: 2}},
		"calls that nothing takes":      {strings.Replace(line(1), "page", "screen", 1) + "\n", account{read: 1, refused: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, policy)
			for n, encode := range []func([]byte) []byte{bytes.Clone, gzipped, zstded} {
				path := s.write("file", encode([]byte(c.content)))
				want := c.want
				if n > 0 && len(c.content) > 0 { // a copy
					want = account{read: want.read, refused: want.refused, duplicate: want.read - want.refused}
				}
				report := s.ingest(end(1), path)
				if got := total(report); got != want || report.Steps != 1 {
					t.Errorf("%+v in %d steps, want %+v", got, report.Steps, want)
				}
				if again := s.ingest(end(1), path); again.Steps != 0 {
					t.Errorf("again: %d steps", again.Steps)
				}
			}
		})
	}
}

func TestByteOrderMarkCountsAmongTheBytes(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	content := pages(2)
	s.ingest(end(1), s.write("file", append([]byte("\ufeff"), content...)))
	second := bytes.IndexByte(content, '\n') + 1
	want := fmt.Sprint([][]any{{uint64(3)}, {uint64(3 + second)}})
	if got := fmt.Sprint(s.query("SELECT lapse_position FROM {personal}.events ORDER BY lapse_position")); got != want {
		t.Errorf("the records stand at %s, want %s", got, want)
	}
}
