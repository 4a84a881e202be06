package clickhouse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/facesoft/lapse/config"
)

// generalisation is the publication of one dataset compiled to SQL expressions
// over its personal columns. All statements that make or check a publication are
// rendered from it.
type generalisation struct {
	Personal, Published *table
	Time                string // quoted
	K                   int
	Subject             subject
	Expressions         []string   // every value that could be published of a row, at any level, each once
	Classes             [][]string // per vector: what makes up the class, as values of a cell
	Texts               [][]string // per vector: those that are text, which could hold an identifier
	DistinctTexts       []string   // the texts of all vectors, each once
	Measures            []string   // quoted columns that are published as they are
	Values              []publishedValue
	Sensitive           []sensitiveColumn
	Limit               float64    // share of a partition's rows that may be suppressed
	Losses              []float64  // per vector: the share of detail that is lost
	Identifiers         []string   // quoted columns that identify directly
	Parameters          parameters // that the expressions refer to
}

// cellValue names the value of a row, or of a cell of rows, that one of the
// expressions gives.
func cellValue(expression int) string { return fmt.Sprintf("lapse_value_%d", expression) }

// publishedValue is one published column: its expression in terms of the cell's
// values and of the level chosen for it.
type publishedValue struct {
	Name       string
	Expression string
	PlainType  string // without LowCardinality, to compare by
	InClass    bool
	IsText     bool
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
	g.compileSensitive(d)
	g.compileClasses(d)
	g.compileValues(d)
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
		Personal: personal, Published: analyticsTable(s.policy, s.db, d),
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

// compileClasses writes down, for every vector of the chain, the values that make
// up the equivalence class.
func (g *generalisation) compileClasses(d *config.Dataset) {
	columns := d.Publish.ClassColumns()
	for _, vector := range d.Publish.Vectors() {
		var class, texts []string
		for i, c := range columns {
			from, _ := d.Column(c.From)
			level := c.Levels[vector[i]]
			if level.Name == config.Any {
				continue // the same for all
			}
			v := g.value(g.transform(c, vector[i], from))
			class = append(class, v)
			if from.Type.Kind() != config.Text {
				continue
			}
			texts = append(texts, v)
			if !slices.Contains(g.DistinctTexts, v) {
				g.DistinctTexts = append(g.DistinctTexts, v)
			}
		}
		g.Classes, g.Texts = append(g.Classes, class), append(g.Texts, texts)
	}
}

// compileValues writes down each published column as an expression over the
// cell's values and the level.
func (g *generalisation) compileValues(d *config.Dataset) {
	vectors := d.Publish.Vectors()
	class := 0
	for _, c := range d.Publish.Columns {
		from, _ := d.Column(c.From)
		result := c.ResultType(from.Type)
		v := publishedValue{Name: quote(c.Name), PlainType: plainType(result), InClass: c.InClass(), IsText: result.Kind() == config.Text}
		if !v.InClass {
			v.Expression = quote(c.From)
			if !slices.Contains(g.Measures, v.Expression) {
				g.Measures = append(g.Measures, v.Expression)
			}
		} else {
			v.Expression = byLevel(vectors, class, func(level int) string {
				if c.Levels[level].Name == config.Any {
					return anything
				}
				return g.value(g.transform(c, level, from))
			})
			class++
		}
		g.Values = append(g.Values, v)
	}
}

// plainType is the type of a published column for comparisons: how a text is
// stored makes no difference to it.
func plainType(t config.Type) string {
	if t.Kind() == config.Text {
		return "String"
	}
	return storedType(t)
}

// byLevel chooses between the generalisations of class column i by the row's
// level: the index of its vector in the chain.
func byLevel(vectors [][]int, i int, expression func(level int) string) string {
	var branches []string
	for v := 0; v < len(vectors); v++ {
		last := v
		for last+1 < len(vectors) && vectors[last+1][i] == vectors[v][i] {
			last++
		}
		e := expression(vectors[v][i])
		if last == len(vectors)-1 {
			branches = append(branches, e)
		} else {
			branches = append(branches, fmt.Sprintf("lapse_level <= %d", last), e)
		}
		v = last
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return "multiIf(" + strings.Join(branches, ", ") + ")"
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
	path := fmt.Sprintf("cutQueryStringAndFragment(if(position(%[1]s, '://') > 0, path(%[1]s), %[1]s))", c)
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
		return path
	case config.URLRoute:
		return route(path)
	case config.URLSection:
		return fmt.Sprintf("concat('/', splitByChar('/', %s)[2])", path)
	case config.URLHost:
		return fmt.Sprintf("if(isIPv4String(domain(%[1]s)) OR isIPv6String(domain(%[1]s)), '(address)', domain(%[1]s))", c)
	case config.Major:
		return fmt.Sprintf("splitByChar('.', toString(%s))[1]", c)
	case config.BeforeHyphen:
		return fmt.Sprintf("splitByChar('-', replaceAll(toString(%s), '_', '-'))[1]", c)
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

// firstIdentifier compiles the first subject column that is not empty, without
// ties: good enough to say in a plan about how many people it is.
func firstIdentifier(columns []string) string {
	var branches []string
	for _, name := range columns {
		branches = append(branches, fmt.Sprintf("%s != ''", quote(name)), quote(name))
	}
	return fmt.Sprintf("multiIf(%s, '')", strings.Join(branches, ", "))
}
