package jobs

import (
	"testing"

	"github.com/facesoft/lapse/sinks"
)

// A block has no room for more rows than sinks.MaxRows: what would be more is not held
// back.
func TestRowsThatAreHeldBackFitABlock(t *testing.T) {
	t.Parallel()
	s := scattered{rows: &sinks.Block{}}
	const days, each = 41, fewRows - 1
	for group, held := range []int{days * each, days * each, days*each + each} {
		days := days
		if group == 2 {
			days = 1
		}
		var rows sinks.Block
		for i := range days * each {
			rows.Days, rows.Records, rows.Positions = append(rows.Days, sinks.Day(i%days)), append(rows.Records, sinks.NewID()), append(rows.Positions, uint64(i))
		}
		s.choose(&rows)
		s.hold(&rows, nil)
		if s.rows.Rows() != held || s.gathered != held {
			t.Errorf("group %d: %d rows are held back, counted %d, want %d", group, s.rows.Rows(), s.gathered, held)
		}
	}
}
