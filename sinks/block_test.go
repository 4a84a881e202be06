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

func TestMoveKeepsColumnsInStep(t *testing.T) {
	t.Parallel()
	text, number := &Column{Type: "String"}, &Column{Type: "Nullable(UInt16)", Width: 2, Nullable: true}
	word := &Column{Type: "LowCardinality(String)", Width: 2, Dictionary: new(Dictionary)}
	b := &Block{Dataset: "d", Source: 7, Columns: []*Column{text, number, word}}
	to := b.Clone()
	moved := make([]bool, 1000)
	for i := range moved {
		text.AppendString(fmt.Append(nil, "text ", i))
		number.AppendUint(uint64(i))
		word.AppendString(fmt.Append(nil, []string{"", "a", "b", "c"}[i%4], i%300))
		b.Days, b.Records, b.Positions = append(b.Days, Day(i)), append(b.Records, ID{byte(i)}), append(b.Positions, uint64(i))
		moved[i] = i%7 == 3
	}
	b.Move(moved, to)
	if b.Rows()+to.Rows() != len(moved) || to.Rows() != 143 {
		t.Fatalf("%d rows are left, %d were moved", b.Rows(), to.Rows())
	}
	for _, half := range []*Block{b, to} {
		texts := strings(half.Columns[0])
		for row, position := range half.Positions {
			i := int(position)
			if texts[row] != fmt.Sprint("text ", i) || int(half.Days[row]) != i || half.Records[row] != (ID{byte(i)}) {
				t.Errorf("row %d: %q of %v", i, texts[row], half.Days[row])
			}
			if n := binary.LittleEndian.Uint16(half.Columns[1].Data[2*row:]); int(n) != i || half.Columns[1].Nulls[row] != 0 {
				t.Errorf("row %d has the number %d", i, n)
			}
			n := binary.LittleEndian.Uint16(half.Columns[2].Data[2*row:])
			if got, want := string(half.Columns[2].Dictionary.key(n)), fmt.Sprint([]string{"", "a", "b", "c"}[i%4], i%300); got != want {
				t.Errorf("row %d has the word %q, want %q", i, got, want)
			}
		}
	}
}

func TestShortenedColumnHoldsTheSameTexts(t *testing.T) {
	t.Parallel()
	few, many := &Column{Type: "String"}, &Column{Type: "String"}
	few.Shorten()
	many.Shorten()
	b := &Block{Columns: []*Column{few, many}}
	for range 3 { // what the first has shown counts for those after it
		b.Reset()
		for i := range 3000 {
			few.AppendString(fmt.Append(nil, []string{"", "a"}[i%2], i%700))
			many.AppendString(fmt.Append(nil, "text ", i))
			b.Days, b.Records, b.Positions = append(b.Days, 0), append(b.Records, ID{}), append(b.Positions, uint64(i))
		}
	}
	if few.WireType() != "LowCardinality(String)" || many.WireType() != "String" || few.Type != "String" {
		t.Errorf("few values are sent as %s, many as %s", few.WireType(), many.WireType())
	}
	odd := make([]bool, b.Rows())
	for i := range odd {
		odd[i] = i%2 == 1
	}
	to := b.Clone() // each way between a shortened column and a plain one
	*to.Columns[0] = Column{Type: "String"}
	to.Columns[1].Shorten()
	b.Move(odd, to)
	for half, block := range []*Block{b, to} {
		want := make([][]string, 2)
		for n := range 1500 {
			i := 2*n + half
			want[0], want[1] = append(want[0], fmt.Sprint([]string{"", "a"}[i%2], i%700)), append(want[1], fmt.Sprint("text ", i))
		}
		for column, texts := range want {
			var got []string
			block.Columns[column].EachText(func(_ int, text []byte) { got = append(got, string(text)) })
			if !slices.Equal(got, texts) {
				t.Errorf("half %d of column %d: %.100q", half, column, got)
			}
		}
	}
}

func TestRowsMoveFromAnyPlace(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"", ".", "x", "xxxx", "....", "x...", "...x", "xx.xx..", ".x.x.x", "x.x.x."} {
		b := &Block{Columns: []*Column{{Type: "String"}, {Type: "UInt16", Width: 2}}}
		to := b.Clone()
		var moved []bool
		var want [2][]string
		for i, c := range pattern {
			moved = append(moved, c == 'x')
			word := fmt.Sprintf("%0*d", 1+i*50, i)
			b.Columns[0].AppendString([]byte(word))
			b.Columns[1].AppendUint(uint64(i))
			b.Days, b.Records, b.Positions = append(b.Days, Day(i)), append(b.Records, ID{}), append(b.Positions, uint64(i))
			half := 0
			if c == 'x' {
				half = 1
			}
			want[half] = append(want[half], word)
		}
		b.Move(moved, to)
		for half, block := range []*Block{b, to} {
			if got := strings(block.Columns[0]); !slices.Equal(got, want[half]) {
				t.Errorf("%s: half %d is %q, want %q", pattern, half, got, want[half])
			}
			for row, position := range block.Positions {
				if got := binary.LittleEndian.Uint16(block.Columns[1].Data[2*row:]); uint64(got) != position || uint64(block.Days[row]) != position {
					t.Errorf("%s: half %d, row %d is %d of %d", pattern, half, row, got, position)
				}
			}
		}
	}
}
