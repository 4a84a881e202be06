package decode

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var update = flag.Bool("update", false, "write the fates of the bad inputs anew, to be looked through")

// badInputs are the files with inputs that were chosen by hand, and their fates.
var badInputs = map[config.InputFormat]string{config.Segment: "segment.txt", config.WebLog: "weblog.txt", config.TrainingNotes: "training.txt"}

// fates decodes a line and names what became of each of its records.
func fates(d *Decoder, line []byte) string {
	var names []string
	d.Records(line, Origin{Now: now}, func(_ []byte, _ Origin, fate Fate) {
		name := string(fate.Reason)
		if fate.Reason == Stored {
			name = "stored"
		}
		names = append(names, name)
	})
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}

// readBad returns the lines of a file of bad inputs: its comments as they are, and
// for an input its fate and itself.
func readBad(tb testing.TB, file string) (lines []string, inputs map[int][]byte, want map[int]string) {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		tb.Fatal(err)
	}
	inputs, want = map[int][]byte{}, map[int]string{}
	lines = strings.Split(string(raw), "\n")
	for i, line := range lines {
		fate, quoted, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			tb.Fatalf("%s:%d: %v", file, i+1, err)
		}
		inputs[i], want[i] = []byte(text), fate
	}
	return lines, inputs, want
}

func TestBadInputsMeetTheirFates(t *testing.T) {
	t.Parallel()
	count := 0
	for format, file := range badInputs {
		lines, inputs, want := readBad(t, file)
		count += len(inputs)
		for i, input := range inputs {
			d := decoder(t, format)
			got := fates(d, input)
			if *update {
				lines[i] = got + "\t" + strings.SplitN(lines[i], "\t", 2)[1]
				continue
			}
			if got != want[i] {
				t.Errorf("%s:%d: %.200q: %s, want %s", file, i+1, input, got, want[i])
			}
			mustBeWhole(t, d)
		}
		if *update {
			if err := os.WriteFile(filepath.Join("testdata", file), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if count < 200 {
		t.Errorf("there are %d bad inputs", count)
	}
}

// mustBeWhole checks that every column of every block has as many values as the
// block has rows, and that what it holds can be read back.
func mustBeWhole(tb testing.TB, d *Decoder) {
	tb.Helper()
	for _, b := range d.Blocks() {
		rows := b.Rows()
		if len(b.Records) != rows || len(b.Positions) != rows {
			tb.Fatalf("%s: %d rows, %d records, %d positions", b.Dataset, rows, len(b.Records), len(b.Positions))
		}
		for _, c := range b.Columns {
			if n := valuesIn(c); n != rows || c.Nullable && len(c.Nulls) != rows {
				tb.Fatalf("%s.%s: %d values and %d nulls in %d rows", b.Dataset, c.Name, n, len(c.Nulls), rows)
			}
		}
	}
}

func valuesIn(c *sinks.Column) int {
	if c.Width > 0 {
		if c.Dictionary != nil {
			for i := 0; i < len(c.Data); i += 2 {
				if int(binary.LittleEndian.Uint16(c.Data[i:])) >= c.Dictionary.Len() {
					return -1
				}
			}
		}
		return len(c.Data) / c.Width
	}
	n := 0
	for data := c.Data; len(data) > 0; n++ {
		length, prefix := binary.Uvarint(data)
		if prefix <= 0 || int(length) > len(data)-prefix {
			return -1
		}
		data = data[prefix+int(length):]
	}
	return n
}

// No line, however long, takes more memory than what is kept of it.
func TestLongLinesTakeNoMemory(t *testing.T) {
	const size = 100 << 20
	fill := func(before, filling, after string) []byte {
		b := make([]byte, 0, size+len(before)+len(filling)+len(after))
		b = append(b, before...)
		for len(b) < size {
			b = append(b, filling...)
		}
		return append(b, after...)
	}
	page := `{"type":"page","timestamp":"2024-05-01T00:00:00Z",`
	for name, c := range map[string]struct {
		line []byte
		want string
		kept bool // in a column
	}{
		"text":                {fill(page+`"x":"`, "x", `"}`), "stored", false},
		"escapes":             {fill(page+`"x":"`, `\u00e9`, `"}`), "stored", false},
		"a text that is kept": {fill(page+`"userId":"`, `\n`, `"}`), "stored", true},
		"digits":              {fill(page+`"properties":{"small":`, "1", `}}`), "wrong_type", false},
		"digits of a real":    {fill(page+`"properties":{"real":0.`, "1", `}}`), "wrong_type", false},
		"zeros of a time":     {fill(page+`"originalTimestamp":"2024-05-01T00:00:00.`, "0", `Z"}`), "bad_time", false},
		"a time in digits":    {fill(page+`"originalTimestamp":`, "1", `}`), "bad_time", false},
		"brackets":            {fill(page+`"x":`, "[", ""), "nested_too_deep", false},
		"a flat list":         {fill(page+`"x":[0`, ",0", "]}"), "stored", false},
		"names":               {fill(page+`"x":{"a":0`, `,"a":0`, "}}"), "stored", false},
		"names of its own":    {fill(page+`"a":0`, `,"b":0`, "}"), "stored", false},
		"a long name":         {fill(page+`"`, "x", `":0}`), "stored", false},
		"spaces":              {fill(page, " ", `"x":0}`), "stored", false},
		"a long type":         {fill(`{"type":"`, "x", `"}`), "unknown_call", false},
		"records":             {fill(`{"batch":[0`, ",0", `]}`), "batch_too_long", false},
		"a user agent":        {fill(page+`"context":{"userAgent":"Mozilla `, "(x; ", `"}}`), "stored", false},
		"bytes of zero":       {make([]byte, size), "not_json", false},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: memory is being counted
			d := decoder(t, config.Segment)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := fates(d, c.line)
			runtime.ReadMemStats(&after)
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			limit := uint64(1 << 20)
			if c.kept {
				limit = 8 * size // while the buffers grow
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > limit {
				t.Errorf("took %d bytes", took)
			}
		})
	}
	log := fill(`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /`, `\"`, ` HTTP/1.1" 200 1`)
	if got := fates(decoder(t, config.WebLog), log); got != "stored" {
		t.Errorf("a log line is %s", got)
	}
	if got := fates(decoder(t, config.WebLog), bytes.Repeat([]byte("["), size)); got != "not_a_log_line" {
		t.Errorf("brackets in a log are %s", got)
	}
}

// fuzz looks for lines that break what a decoder promises, whatever it is fed.
func fuzz(f *testing.F, format config.InputFormat) {
	_, inputs, _ := readBad(f, badInputs[format])
	for _, i := range slices.Sorted(func(yield func(int) bool) {
		for i := range inputs {
			if !yield(i) {
				return
			}
		}
	}) {
		f.Add(inputs[i])
	}
	shared, ahead := decoder(f, format), decoder(f, format)
	scanner, scanned := ahead.Scanner(), new(Scanned)
	f.Fuzz(func(t *testing.T, line []byte) {
		whole := bytes.Clone(line)
		alone := decoder(t, format)
		first := describe(alone, line)
		mustBeWhole(t, alone)
		if !bytes.Equal(line, whole) {
			t.Fatal("the line was changed")
		}
		if again := describe(shared, line); again != first { // what came before makes no difference
			t.Fatalf("%q: %s, after other lines %s", line, first, again)
		}
		if scanned.Len() == 3 {
			scanned.Reset()
		}
		scanner.Scan(line, scanned)
		later := describeBy(ahead, func(each func([]byte, Origin, Fate)) {
			ahead.Scanned(scanned, scanned.Len()-1, line, Origin{Position: 7, Now: now}, each)
		})
		if later != first {
			t.Fatalf("%q: %s, scanned before %s", line, first, later)
		}
		for _, b := range append(shared.Blocks(), ahead.Blocks()...) {
			b.Reset()
		}
	})
}

// describe tells everything that a line leads to.
func describe(d *Decoder, line []byte) string {
	return describeBy(d, func(each func([]byte, Origin, Fate)) { d.Records(line, Origin{Position: 7, Now: now}, each) })
}

func describeBy(d *Decoder, records func(each func([]byte, Origin, Fate))) string {
	var b strings.Builder
	records(func(record []byte, from Origin, fate Fate) {
		fmt.Fprintf(&b, "%d-%d %+v\n", from.Position, len(record), fate)
		if fate.Reason == Stored {
			block := d.Blocks()[fate.Block]
			row := values(block)
			delete(row, "item") // random
			fmt.Fprintln(&b, row, block.Records[block.Rows()-1])
		}
	})
	return b.String()
}

func FuzzSegment(f *testing.F)  { fuzz(f, config.Segment) }
func FuzzWebLog(f *testing.F)   { fuzz(f, config.WebLog) }
func FuzzTraining(f *testing.F) { fuzz(f, config.TrainingNotes) }

// FuzzDetect tells a format of anything.
func FuzzDetect(f *testing.F) {
	for _, head := range []string{"", "\n\n", "{", "[", "1.2.3.4 - -", "{\"training_", "\xef\xbb\xbf{}", "{\n\n{", strings.Repeat("x\n", 200)} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		switch format := Detect(head); format {
		case config.Segment, config.WebLog, config.TrainingNotes:
		default:
			t.Fatalf("%q is not a format", format)
		}
	})
}
