package clickhouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/facesoft/lapse/config"
)

// generalisation is the publication of one dataset compiled to SQL expressions. All
// statements that make or check a publication are rendered from it.
type generalisation struct {
	Personal, Published *table
	Time                string // quoted
	K                   int
	Subject             subject
	Expressions         []string // every value that could be published of a row, at any level, each once
	Copy                rowCopy
	DistinctTexts       []string // those columns of the copy that are texts of some class, each once
	Values              []publishedValue
	Sensitive           []sensitiveColumn
	Limit               float64    // share of a partition's rows that may be suppressed
	Losses              []float64  // per vector: the share of detail that is lost
	Identifiers         []string   // quoted columns that identify directly
	Parameters          parameters // that the expressions refer to
	PublishedClass      string     // the class of a published row, for the check
}

// CountsUpToK reports whether ClickHouse's uniqUpTo counts as far as k. It takes less time
// than to count all people of a class.
func (g *generalisation) CountsUpToK() bool { return g.K <= 100 }

// cellValue names the value of a row that one of the expressions gives.
func cellValue(expression int) string { return fmt.Sprintf("lapse_value_%d", expression) }

// publishedValue is one published column.
type publishedValue struct {
	Name    string   // quoted
	Levels  []string // per vector: what it is of the copy
	InClass bool
	Kind    config.Kind
}

// subject is the expression for the person that a row is about.
type subject struct {
	Expression string
	Links      []link
}

// link ties a weaker identifier to the stronger one it is seen with in the same
// partition, so that a visitor who signs in later is not counted twice.
type link struct {
	Alias    string
	Weaker   string // quoted column
	Stronger string // expression
}

// generalisation compiles a publication in order to carry it out.
func (s *Store) generalisation(dataset string) (*generalisation, error) {
	g, err := s.newGeneralisation(dataset)
	if err != nil {
		return nil, err
	}
	d := g.Personal.dataset
	g.Limit = 1
	if limit := d.Publish.SuppressionLimit; limit != nil {
		g.Limit = float64(*limit)
	}
	g.Losses = lossOf(d.Publish)
	g.compileCopy(d)
	g.compileSensitive(d)
	g.compileChecks()
	return g, nil
}

// newGeneralisation returns what all statements over the rows of a dataset need, with
// nothing of it compiled.
func (s *Store) newGeneralisation(dataset string) (*generalisation, error) {
	personal, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	d := personal.dataset
	if d == nil || d.Publish == nil {
		return nil, fmt.Errorf("the policy does not publish %q", dataset)
	}
	g := &generalisation{
		Personal: personal, Published: s.published(d),
		Time: quote(d.Time), K: d.Publish.K, Subject: subjectOf(d), Parameters: hierarchyParameters(d.Publish),
	}
	for _, c := range d.Columns {
		if c.Identifies == config.Directly {
			g.Identifiers = append(g.Identifiers, quote(c.Name))
		}
	}
	return g, nil
}

// value returns the name of the value that an expression gives, and remembers the
// expression.
func (g *generalisation) value(expression string) string {
	i := slices.Index(g.Expressions, expression)
	if i < 0 {
		i = len(g.Expressions)
		g.Expressions = append(g.Expressions, expression)
	}
	return cellValue(i)
}

// anything is what stands for every value alike.
const anything = "'*'"

// transform compiles one level of a published column to an expression over the
// personal column, of the type that the published one has. It is never NULL: the hash
// of anything with a NULL is NULL, and would put what differs into one class.
func (g *generalisation) transform(published config.PublishedColumn, level int, from *config.Column) string {
	if published.Levels[level].Name == config.Rare {
		return g.common(published, level, from)
	}
	e := nullableTransform(published, level, from)
	if from.Type.Nullable() { // a number, published as text
		e = fmt.Sprintf("ifNull(%s, '')", e)
	}
	return e
}

func nullableTransform(published config.PublishedColumn, level int, from *config.Column) string {
	t, result := published.Levels[level], published.ResultType(from.Type)
	c := quote(from.Name)
	switch t.Name {
	case config.Any:
		return anything
	case config.Hour:
		return fmt.Sprintf("toStartOfHour(toDateTime(%s, 'UTC'))", c)
	case config.ToDay:
		return fmt.Sprintf("toStartOfDay(toDateTime(%s, 'UTC'))", c)
	case config.Week:
		return startOf("toMonday", c, from.Type)
	case config.Month:
		return startOf("toStartOfMonth", c, from.Type)
	case config.Constant:
		return literal(t.Text)
	case config.URLBare:
		return withoutQuery(c)
	case config.URLPath:
		return pathOf(c)
	case config.URLRoute:
		return route(c)
	case config.URLSection:
		return fmt.Sprintf("concat('/', extract(%s, '^[^/]*/([^/]*)'))", pathOf(c))
	case config.URLHost:
		return hostOf(c)
	case config.Major:
		return fmt.Sprintf("substringIndex(toString(%s), '.', 1)", c)
	case config.BeforeHyphen:
		return fmt.Sprintf("substringIndex(replaceAll(toString(%s), '_', '-'), '-', 1)", c)
	case config.Bands:
		return bands(t.Numbers, c, from.Type.Kind() == config.Integer)
	case config.Coded:
		return fmt.Sprintf("multiIf(isNull(%[1]s), '', %[1]s < %[2]d, '<%[2]d', %[1]s >= %[3]d, '%[3]d+', toString(%[1]s))", c, t.Numbers[0], t.Numbers[1])
	case config.Grid:
		return gridCell(t, c)
	case config.FromColumns:
		return joined(t.Columns)
	case config.ByHierarchy:
		return hierarchyLevel(published, level, fmt.Sprintf("ifNull(toString(%s), '')", c))
	case config.IPPrefix:
		return fmt.Sprintf("multiIf(isIPv4String(%[1]s), concat(toString(IPv4CIDRToRange(toIPv4OrDefault(%[1]s), %[2]d).1), '/%[2]d'), "+
			"isIPv6String(%[1]s), concat(toString(IPv6CIDRToRange(toIPv6OrDefault(%[1]s), %[3]d).1), '/%[3]d'), '')", c, t.Numbers[0], t.Numbers[1])
	}
	if result.Kind() == config.Text && from.Type.Kind() != config.Text { // keep, beside coarser levels
		return fmt.Sprintf("toString(%s)", c)
	}
	return c
}

// startOf compiles the first day of a period, which a function gives: as a time for times,
// as text for days.
func startOf(function, c string, from config.Type) string {
	if from.Kind() == config.Day {
		return fmt.Sprintf("toString(%s(%s))", function, c)
	}
	return fmt.Sprintf("toDateTime(%s(toDate(%s, 'UTC')), 'UTC')", function, c)
}

// bands compiles ascending bounds to labels: "<0", "0-9", "10-99", "100+" of whole numbers;
// of others "0 to <10", since 9.5 lies in it, too.
func bands(bounds []int64, c string, whole bool) string {
	branches := []string{fmt.Sprintf("isNull(%s)", c), "''", fmt.Sprintf("%s < %d", c, bounds[0]), fmt.Sprintf("'<%d'", bounds[0])}
	for i := 1; i < len(bounds); i++ {
		label := fmt.Sprintf("'%d to <%d'", bounds[i-1], bounds[i])
		if whole {
			label = fmt.Sprintf("'%d-%d'", bounds[i-1], bounds[i]-1)
		}
		branches = append(branches, fmt.Sprintf("%s < %d", c, bounds[i]), label)
	}
	return fmt.Sprintf("multiIf(%s, '%d+')", strings.Join(branches, ", "), bounds[len(bounds)-1])
}

// subjectOf compiles the person that a row is about: the first subject column
// that is not empty, or what a weaker one is tied to within the partition. Rows
// without any count as one person together, which can only lower the count.
func subjectOf(d *config.Dataset) subject {
	var s subject
	var branches []string
	for i, name := range d.Subject {
		column := quote(name)
		own := fmt.Sprintf("concat('%d:', %s)", i, column)
		if i == 0 {
			branches = append(branches, fmt.Sprintf("%s != ''", column), own)
			continue
		}
		var stronger []string
		for j, other := range d.Subject[:i] {
			stronger = append(stronger, fmt.Sprintf("%s != ''", quote(other)), fmt.Sprintf("concat('%d:', %s)", j, quote(other)))
		}
		l := link{
			Alias:    fmt.Sprintf("lapse_link%d", i),
			Weaker:   column,
			Stronger: fmt.Sprintf("multiIf(%s, '')", strings.Join(stronger, ", ")),
		}
		s.Links = append(s.Links, l)
		tied := fmt.Sprintf("%s.lapse_stronger", l.Alias)
		branches = append(branches, fmt.Sprintf("%s != ''", tied), tied, fmt.Sprintf("%s != ''", column), own)
	}
	s.Expression = fmt.Sprintf("multiIf(%s, '')", strings.Join(branches, ", "))
	return s
}

// firstIdentifier compiles the first subject column that is not empty, without ties.
func firstIdentifier(columns []string) string {
	return firstOf(columns, func(column string) string { return column }, "''")
}

// firstHash compiles a hash of the same: good enough to say in a plan about how many people
// it is, and no text is copied for it.
func firstHash(columns []string) string {
	return firstOf(columns, func(column string) string { return "xxh3(" + column + ")" }, "0")
}

func firstOf(columns []string, of func(column string) string, otherwise string) string {
	var branches []string
	for _, name := range columns {
		branches = append(branches, quote(name)+" != ''", of(quote(name)))
	}
	return fmt.Sprintf("multiIf(%s, %s)", strings.Join(branches, ", "), otherwise)
}
