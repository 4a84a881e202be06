package clickhouse

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// TestRowsAreSentInTheOrderOfTheirTable holds the order, and every value in it, against
// a plain sort of the rows.
func TestRowsAreSentInTheOrderOfTheirTable(t *testing.T) {
	t.Parallel()
	word := &sinks.Column{Name: "call", Type: "LowCardinality(String)", Width: 2, Dictionary: new(sinks.Dictionary)}
	status := &sinks.Column{Name: "status", Type: "UInt16", Width: 2}
	at := &sinks.Column{Name: "at", Type: "DateTime64(3, 'UTC')", Width: 8}
	text := &sinks.Column{Name: "text", Type: "String"}
	number := &sinks.Column{Name: "number", Type: "Nullable(UInt32)", Width: 4, Nullable: true}
	id := &sinks.Column{Name: "id", Type: "UUID", Width: 16}
	b := &sinks.Block{Columns: []*sinks.Column{word, status, at, text, number, id}}
	of := &table{Time: "at", dataset: &config.Dataset{OrderBy: []string{"call", "status"}}}
	random := rand.New(rand.NewPCG(3, 4))
	type row struct {
		word   string
		status uint16
		at     uint64
		n      int
	}
	var want []row
	var s sorting
	for range 3 { // with what an earlier block has left
		b.Reset()
		want = want[:0]
		for n := range 3000 {
			r := row{[]string{"", "b", "a", "aa", "ä"}[random.IntN(5)], uint16(random.IntN(3) * 200), uint64(random.IntN(1 << 30)), n}
			want = append(want, r)
			word.AppendString([]byte(r.word))
			status.AppendUint(uint64(r.status))
			at.AppendUint(r.at)
			text.AppendString(bytes.Repeat([]byte{byte('a' + n%26)}, n%300))
			if number.AppendUint(uint64(n)); n%5 == 0 {
				number.RemoveLast()
				number.AppendDefault()
			}
			id.AppendID(sinks.ID{byte(n), byte(n >> 8)})
			b.Days = append(b.Days, 0)
		}
		order := s.block(of, b).order
		columns := make([]sinks.Column, len(b.Columns))
		for i, c := range b.Columns {
			columns[i].Nulls, columns[i].Data = []byte{}, s.appendColumn(nil, c)
			if c.Nullable {
				columns[i].Nulls, columns[i].Data = columns[i].Data[:b.Rows()], columns[i].Data[b.Rows():]
			}
		}
		slices.SortStableFunc(want, func(x, y row) int {
			return cmp.Or(cmp.Compare(x.word, y.word), cmp.Compare(x.status, y.status), cmp.Compare(x.at, y.at))
		})
		texts := columns[3].Data
		for i, r := range want {
			if int(order[i]) != r.n || binary.LittleEndian.Uint64(columns[2].Data[8*i:]) != r.at || binary.LittleEndian.Uint16(columns[1].Data[2*i:]) != r.status {
				t.Fatalf("row %d is %d, want %d", i, order[i], r.n)
			}
			length, prefix := binary.Uvarint(texts)
			if int(length) != r.n%300 || length > 0 && texts[prefix] != byte('a'+r.n%26) {
				t.Fatalf("row %d has a text of %d bytes", i, length)
			}
			texts = texts[prefix+int(length):]
			if null := columns[4].Nulls[i] == 1; null != (r.n%5 == 0) || !null && binary.LittleEndian.Uint32(columns[4].Data[4*i:]) != uint32(r.n) {
				t.Fatalf("row %d: %v", i, null)
			}
			var uuid sinks.Column
			uuid.AppendID(sinks.ID{byte(r.n), byte(r.n >> 8)})
			if !bytes.Equal(columns[5].Data[16*i:16*i+16], uuid.Data) {
				t.Fatalf("row %d has another id", i)
			}
		}
		if len(texts) > 0 {
			t.Errorf("%d bytes too many", len(texts))
		}
	}
	unknown := map[string]*table{
		"a table without a dataset": {Time: "at"},
		"no such column":            {Time: "at", dataset: &config.Dataset{OrderBy: []string{"x"}}},
		"a nullable column":         {Time: "at", dataset: &config.Dataset{OrderBy: []string{"number"}}},
		"texts":                     {Time: "at", dataset: &config.Dataset{OrderBy: []string{"text"}}},
	}
	for name, other := range unknown {
		if s.block(other, b).order != nil {
			t.Errorf("%s: the rows were put into another order", name)
		}
	}
}
