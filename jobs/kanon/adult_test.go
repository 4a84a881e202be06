package kanon

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// adultData is where the Adult census data of UCI lies, with the hierarchies that ARX
// ships for it.
var adultData = filepath.Join("..", "..", "..", "shared", "data", "adult")

// adultCase is a problem on the Adult data and what ARX finds to be its optimum.
type adultCase struct {
	measure     Measure
	count       bool     // suppressed rows
	balance     *float64 // 0.5 if left out
	aggregate   Aggregate
	weights     map[string]float64
	sensitive   string
	requirement Requirement
	levels      []int // in the order of the columns in the file, but for the sensitive one
	loss        float64
}

var adultCases = []adultCase{
	{measure: NonUniformEntropy, requirement: Requirement{K: 2, SuppressionLimit: 0.01}, levels: []int{0, 0, 1, 1, 2, 2, 2, 1, 1}, loss: 249978.70787584342},
	{measure: NonUniformEntropy, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, loss: 255559.85455731067},
	{measure: NonUniformEntropy, requirement: Requirement{K: 50, SuppressionLimit: 0.1}, levels: []int{1, 0, 1, 1, 3, 2, 2, 1, 1}, loss: 310356.6736225403},
	{measure: NonUniformEntropy, requirement: Requirement{K: 100}, levels: []int{0, 4, 1, 1, 3, 2, 2, 1, 1}, loss: 453196.8932458743},
	{measure: NonUniformEntropy, requirement: Requirement{K: 5}, levels: []int{1, 2, 1, 1, 3, 2, 2, 1, 1}, loss: 407289.5388925293},
	{measure: NonUniformEntropy, count: true, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, loss: 264971.5825580817},
	{measure: NonUniformEntropy, count: true, balance: at(0.25), requirement: Requirement{K: 5, SuppressionLimit: 0.05}, levels: []int{0, 0, 1, 1, 2, 2, 2, 1, 1}, loss: 257160.32308998337},
	{measure: NonUniformEntropy, count: true, balance: at(0.75), requirement: Requirement{K: 5, SuppressionLimit: 0.05}, levels: []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, loss: 137191.6552794262},
	{measure: NonUniformEntropy, count: true, aggregate: GeometricMean, requirement: Requirement{K: 10, SuppressionLimit: 0.03}, levels: []int{0, 4, 0, 2, 3, 2, 2, 2, 0}, loss: 1647.3903591019932},
	{measure: NonUniformEntropy, count: true, weights: map[string]float64{"education": 0.9, "occupation": 0.1, "age": 0.7}, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{1, 0, 1, 2, 0, 2, 2, 2, 1}, loss: 126424.53748339805},
	{measure: NonUniformEntropy, sensitive: "occupation", requirement: Requirement{SuppressionLimit: 0.05, Diversity: []Diversity{{Kind: Entropy, L: 3}}}, levels: []int{0, 0, 1, 1, 2, 2, 2, 0}, loss: 170763.7641568316},
	{measure: NonUniformEntropy, count: true, sensitive: "occupation", requirement: Requirement{SuppressionLimit: 0.05, Diversity: []Diversity{{Kind: Entropy, L: 3}}}, levels: []int{0, 0, 1, 1, 2, 2, 2, 0}, loss: 182803.4572784986},
	{measure: NonUniformEntropy, count: true, sensitive: "marital-status", requirement: Requirement{K: 5, Diversity: []Diversity{{Kind: Distinct, L: 3}}}, levels: []int{0, 1, 1, 3, 2, 2, 2, 1}, loss: 374831.1061037879},
	{measure: NonUniformEntropy, sensitive: "occupation", requirement: Requirement{K: 5, SuppressionLimit: 0.05, Diversity: []Diversity{{Kind: Distinct, L: 3}}}, levels: []int{0, 0, 1, 0, 2, 2, 2, 1}, loss: 170361.9944133179},
	{measure: NonUniformEntropy, count: true, sensitive: "education", requirement: Requirement{Diversity: []Diversity{{Kind: Recursive, C: 4, L: 3}}}, levels: []int{1, 1, 1, 2, 2, 2, 1, 1}, loss: 321614.14564282016},
	{measure: NonUniformEntropy, sensitive: "marital-status", requirement: Requirement{K: 5, SuppressionLimit: 0.05, Closeness: []Closeness{{T: 0.3}}}, levels: []int{1, 4, 0, 0, 2, 1, 1, 1}, loss: 326582.4361197585},
	{measure: NonUniformEntropy, count: true, sensitive: "occupation", requirement: Requirement{K: 5, SuppressionLimit: 0.05, Closeness: []Closeness{{T: 0.3}}}, levels: []int{1, 4, 1, 0, 2, 1, 2, 1}, loss: 366302.75275032653},
	{measure: NonUniformEntropy, count: true, sensitive: "education", requirement: Requirement{K: 5, Diversity: []Diversity{{Kind: Distinct, L: 2}}, Closeness: []Closeness{{T: 0.5}}}, levels: []int{1, 1, 1, 1, 2, 2, 2, 1}, loss: 339198.21784342173},
	{measure: NormalisedEntropy, count: true, requirement: Requirement{K: 2, SuppressionLimit: 0.01}, levels: []int{0, 4, 0, 0, 3, 2, 0, 1, 0}, loss: 3.61812473065333},
	{measure: NormalisedEntropy, count: true, requirement: Requirement{K: 100}, levels: []int{0, 4, 1, 1, 3, 2, 2, 2, 0}, loss: 6.452198910815499},
	{measure: Discernibility, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, loss: 1415782.0},
	{measure: Discernibility, count: true, requirement: Requirement{K: 2, SuppressionLimit: 0.01}, levels: []int{0, 0, 1, 2, 3, 2, 2, 1, 0}, loss: 4602798.0},
	{measure: Discernibility, sensitive: "education", requirement: Requirement{K: 5, SuppressionLimit: 0.05, Closeness: []Closeness{{T: 0.3}}}, levels: []int{0, 4, 1, 0, 1, 2, 1, 1}, loss: 69992458.0},
	{measure: AverageClassSize, count: true, requirement: Requirement{K: 10, SuppressionLimit: 0.05}, levels: []int{0, 0, 1, 2, 2, 2, 2, 1, 1}, loss: 52.823117338003506},
	{measure: AverageClassSize, count: true, balance: at(0.25), requirement: Requirement{K: 5, SuppressionLimit: 0.05}, levels: []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, loss: 57.56106870229008},
	{measure: AverageClassSize, count: true, sensitive: "occupation", requirement: Requirement{K: 5, SuppressionLimit: 0.05, Diversity: []Diversity{{Kind: Entropy, L: 3}}}, levels: []int{1, 0, 1, 1, 2, 2, 1, 0}, loss: 50.01990049751244},
	{measure: Precision, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{0, 4, 0, 0, 2, 1, 0, 2, 0}, loss: 0.35185185185185186},
	{measure: Precision, count: true, balance: at(0), requirement: Requirement{K: 5, SuppressionLimit: 0.05}, levels: []int{0, 4, 0, 0, 3, 1, 0, 1, 0}, loss: 0.3171871891784364},
	{measure: Precision, count: true, weights: map[string]float64{"age": 1}, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{0, 1, 0, 1, 3, 1, 1, 2, 0}, loss: 0.23426828459651217},
	{measure: Granularity, count: true, requirement: Requirement{K: 5, SuppressionLimit: 0.04}, levels: []int{0, 3, 0, 1, 1, 1, 1, 2, 0}, loss: 0.26611081915757495},
	{measure: Granularity, count: true, balance: at(0.75), requirement: Requirement{K: 5, SuppressionLimit: 0.05}, levels: []int{0, 3, 0, 0, 2, 1, 1, 2, 0}, loss: 0.14570058276808773},
	{measure: Granularity, count: true, aggregate: Sum, requirement: Requirement{K: 10, SuppressionLimit: 0.03}, levels: []int{0, 3, 0, 1, 3, 1, 1, 2, 0}, loss: 3.3377050203},
	{measure: Granularity, count: true, sensitive: "occupation", requirement: Requirement{K: 2, SuppressionLimit: 0.05, Diversity: []Diversity{{Kind: Recursive, C: 4, L: 3}}}, levels: []int{0, 3, 0, 0, 2, 1, 1, 0}, loss: 0.17214244003517676},
	{measure: Height, requirement: Requirement{K: 5}, levels: []int{0, 4, 1, 2, 3, 2, 0, 2, 0}, loss: 14.0},
}

func at(balance float64) *float64 { return &balance }

func (c *adultCase) String() string {
	return fmt.Sprintf("%s %+v %s", c.measure, c.requirement, c.sensitive)
}

func (c *adultCase) measured() Loss {
	l := LossOf(c.measure)
	l.CountSuppressed = c.count
	if c.balance != nil {
		l.Balance = *c.balance
	}
	if c.aggregate != "" {
		l.Aggregate = c.aggregate
	}
	return l
}

// check searches and compares.
func (c *adultCase) check(t *testing.T, table *Table) {
	t.Helper()
	p, err := New(table, c.requirement, c.measured())
	if err != nil {
		t.Fatal(err)
	}
	best, err := p.Best(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(best) != 1 || !slices.Equal(best[0].Levels, c.levels) || math.Abs(best[0].Loss-c.loss) > 1e-6 {
		t.Errorf("found %+v, want levels %v with a loss of %v", best, c.levels, c.loss)
	}
}

var adultFiles sync.Map // what was read, by name

// readAdult reads a file of the data, or skips the test.
func readAdult(t testing.TB, name string) [][]string {
	t.Helper()
	if rows, ok := adultFiles.Load(name); ok {
		return rows.([][]string)
	}
	f, err := os.Open(filepath.Join(adultData, name))
	if err != nil {
		t.Skipf("the Adult data is not here: %v", err)
	}
	defer f.Close() //nolint:errcheck // only read
	r := csv.NewReader(f)
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	adultFiles.Store(name, rows)
	return rows
}

// adult makes a table of the data in which one column is sensitive, if any.
func adult(t testing.TB, sensitive string, weights map[string]float64) *Table {
	t.Helper()
	rows := readAdult(t, "adult.csv")
	table := &Table{}
	for i, name := range rows[0] {
		values := make([]string, 0, len(rows))
		for _, row := range rows[1:] {
			values = append(values, row[i])
		}
		if name == sensitive {
			s := Sensitive{Name: name}
			for _, v := range number(values) {
				s.Values = append(s.Values, uint64(v))
			}
			table.Sensitive = append(table.Sensitive, s)
			continue
		}
		hierarchy := readAdult(t, "adult_hierarchy_"+name+".csv")
		c, err := NewColumn(name, hierarchy)
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := weights[name]; ok {
			c.Weight = w
		}
		table.Columns = append(table.Columns, c)
		table.Values = append(table.Values, indexes(values, hierarchy))
	}
	return table
}

// indexes finds each value's row in the hierarchy.
func indexes(values []string, hierarchy [][]string) []uint32 {
	at := map[string]uint32{}
	for i, row := range hierarchy {
		at[row[0]] = uint32(i)
	}
	found := make([]uint32, len(values))
	for i, v := range values {
		found[i] = at[v]
	}
	return found
}

func TestOptimumOfAdultIsThatOfARX(t *testing.T) {
	t.Parallel()
	for _, c := range adultCases {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			c.check(t, adult(t, c.sensitive, c.weights))
		})
	}
}

// Each row is its own person in ARX; saying so for each changes nothing.
func TestPeopleOfOneRowEachAreCountedLikeRows(t *testing.T) {
	t.Parallel()
	for i, c := range adultCases {
		if i%12 > 0 {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			table := adult(t, c.sensitive, c.weights)
			for row := range table.Rows() {
				table.Subjects = append(table.Subjects, uint64(row)*7919)
			}
			c.check(t, table)
		})
	}
}

func BenchmarkAdult(b *testing.B) {
	for _, c := range adultCases {
		b.Run(c.String(), func(b *testing.B) {
			table := adult(b, c.sensitive, c.weights)
			for b.Loop() {
				p, err := New(table, c.requirement, c.measured())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.Best(b.Context(), 1); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(p.Checked()), "looks")
			}
		})
	}
}
