package sinks

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

func strings(c *Column) (out []string) {
	for data := c.Data; len(data) > 0; {
		n, prefix := binary.Uvarint(data)
		out = append(out, string(data[prefix:prefix+int(n)]))
		data = data[prefix+int(n):]
	}
	return out
}

func TestFilterKeepsColumnsInStep(t *testing.T) {
	t.Parallel()
	text := &Column{Type: "String"}
	number := &Column{Type: "Nullable(UInt16)", Width: 2, Nullable: true}
	b := &Block{Columns: []*Column{text, number}}
	for i := range 10 {
		text.AppendString(fmt.Appendf(nil, "%0*d", 40*i, i)) // lengths on both sides of a two-byte varint
		if i%3 == 0 {
			number.AppendDefault()
		} else {
			number.AppendUint(uint64(i))
		}
		b.Days, b.Records, b.Positions = append(b.Days, Day(i)), append(b.Records, ID{byte(i)}), append(b.Positions, uint64(i))
	}
	keep := make([]bool, 10)
	keep[0], keep[4], keep[9] = true, true, true
	b.Filter(keep)
	if got, want := strings(text), []string{"0", fmt.Sprintf("%0*d", 160, 4), fmt.Sprintf("%0*d", 360, 9)}; !slices.Equal(got, want) {
		t.Errorf("strings %q", got)
	}
	if want := []byte{0, 0, 4, 0, 0, 0}; !slices.Equal(number.Data, want) || !slices.Equal(number.Nulls, []byte{1, 0, 1}) {
		t.Errorf("numbers %v, nulls %v", number.Data, number.Nulls)
	}
	if b.Rows() != 3 || b.Days[1] != 4 || b.Positions[2] != 9 {
		t.Errorf("rows %v %v", b.Days, b.Positions)
	}
}

func TestRemoveLastUndoesAnAppend(t *testing.T) {
	t.Parallel()
	for _, c := range []*Column{{}, {Width: 1}, {Width: 8}, {Width: 4, Nullable: true}} {
		c.AppendDefault()
		before, nulls := len(c.Data), len(c.Nulls)
		c.AppendDefault()
		c.RemoveLast()
		if len(c.Data) != before || len(c.Nulls) != nulls {
			t.Errorf("%+v: %d bytes, want %d", c, len(c.Data), before)
		}
	}
}
