package sinks

import (
	"bytes"
	"fmt"
	"testing"
)

// Values that differ in one byte, in their length, or in what stands behind them in the
// text that they are part of, are told apart, and a value is known again wherever it lies.
func TestDictionaryTellsValuesApart(t *testing.T) {
	t.Parallel()
	var values [][]byte
	for n := range 120 {
		for _, fill := range []byte{0, 'a', 0xFF} {
			values = append(values, bytes.Repeat([]byte{fill}, n))
			for at := range n {
				v := bytes.Repeat([]byte{fill}, n)
				v[at]++
				values = append(values, v)
			}
		}
	}
	var d Dictionary
	for range 2 { // a dictionary is used again
		d.Reset()
		numbers := map[string]uint16{}
		for _, v := range values {
			n, known := numbers[string(v)]
			if !known {
				n = uint16(len(numbers))
				if len(v) > 0 && len(numbers) == 0 {
					t.Fatal("the empty string is not the first value")
				}
				numbers[string(v)] = n
			}
			alone := bytes.Clone(v)[:len(v):len(v)]
			part := fmt.Appendf(nil, "%s,%q", v, v)[:len(v)]
			for _, same := range [][]byte{v, alone, part} {
				if got := d.index(same); got != n {
					t.Fatalf("%q has the number %d, want %d", same, got, n)
				}
			}
		}
		if d.Len() != len(numbers) {
			t.Errorf("%d values, want %d", d.Len(), len(numbers))
		}
		n := 0
		for v := range d.Values() {
			if numbers[string(v)] != uint16(n) {
				t.Errorf("value %d is %q", n, v)
			}
			n++
		}
	}
}
