package clickhouse

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/facesoft/lapse/config"
)

// sensitiveColumn is a column that is published as it is, as long as every class has
// enough different values of it.
type sensitiveColumn struct {
	Name   string // of the published column, quoted
	Column string // of the copy
	From   string // the personal column, quoted
	Pairs  string // of the cells: the different people with their values
	IsText bool
	asked  *config.Sensitive
}

// slack allows for what is lost when logarithms and shares are added up: far less than
// a single person makes in a class of millions.
const slack = 1e-9

// Condition is what must hold of a class, given arrays of how many people have each of
// its values (lapse_counts) and of the values' shares in the partition (lapse_shares).
// The definitions are those of package kanon.
func (s sensitiveColumn) Condition() string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	var all []string
	if s.asked.DistinctL > 0 {
		all = append(all, fmt.Sprintf("length(lapse_counts) >= %d", s.asked.DistinctL))
	}
	if l := s.asked.EntropyL; l > 0 {
		all = append(all, fmt.Sprintf("arraySum(n -> n * log(n), lapse_counts) <= arraySum(lapse_counts) * (log(arraySum(lapse_counts)) - log(%s) + %s)", number(l), number(slack)))
	}
	if r := s.asked.Recursive; r != nil {
		all = append(all, fmt.Sprintf("length(lapse_counts) >= %[2]d AND arrayMax(lapse_counts) < %[1]s * arraySum(arraySlice(arrayReverseSort(lapse_counts), %[2]d))", number(r.C), r.L))
	}
	if s.asked.T > 0 {
		all = append(all, fmt.Sprintf("(1 + arraySum((n, q) -> abs(q - n / arraySum(lapse_counts)) - q, lapse_counts, lapse_shares)) / 2 <= %s", number(s.asked.T+slack)))
	}
	return strings.Join(all, " AND ")
}

// Value is what the values of rows are compared by.
func (s sensitiveColumn) Value() string { return fmt.Sprintf("ifNull(toString(%s), '')", s.Column) }

// PublishedValue is the same of a published row.
func (s sensitiveColumn) PublishedValue() string {
	return fmt.Sprintf("ifNull(toString(%s), '')", s.Name)
}

// compileSensitive writes down the sensitive columns.
func (g *generalisation) compileSensitive(d *config.Dataset) {
	for _, c := range d.Publish.Columns {
		if c.Sensitive == nil {
			continue
		}
		from, _ := d.Column(c.From)
		g.Sensitive = append(g.Sensitive, sensitiveColumn{
			Name: quote(c.Name), Column: g.copied("lapse_measure", quote(c.From), storedType(from.Type)), From: quote(c.From), Pairs: fmt.Sprintf("lapse_pairs_%d", len(g.Sensitive)),
			IsText: from.Type.Kind() == config.Text, asked: c.Sensitive,
		})
	}
}

// sensitiveTexts are the columns of texts that are published as they are.
func (g *generalisation) sensitiveTexts() (columns []string) {
	for _, s := range g.Sensitive {
		if s.IsText {
			columns = append(columns, s.From)
		}
	}
	return columns
}

// lossOf returns how much detail rows at a vector of levels have lost: the mean of the
// levels in relation to the coarsest.
func lossOf(u *config.Publication) []float64 {
	columns := u.ClassColumns()
	losses := make([]float64, len(u.Chain))
	for i, vector := range u.Vectors() {
		for j, c := range columns {
			if height := len(c.Levels) - 1; height > 0 {
				losses[i] += float64(vector[j]) / float64(height) / float64(len(columns))
			}
		}
	}
	return losses
}
