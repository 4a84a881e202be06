package clickhouse

import (
	"context"
	"fmt"
	"math"
	"regexp"

	"github.com/facesoft/lapse/config"
)

// view is a view of an anonymised table, as the policy has it, or of a personal one; see
// readableView. Its exported fields are what the statements are rendered from.
type view struct {
	Database, Name string
	Table          string
	Comment        string
	Select         string
	Definer        bool // it reads with the rights of who has made it

	By        []string
	Measures  []viewMeasure
	Returning string
}

// viewMeasure is a measure with the quantiles to be computed.
type viewMeasure struct {
	Name      string
	Quantiles []viewQuantile
}

// viewQuantile is a quantile and what its column is called after the measure's.
type viewQuantile struct{ Level, Suffix string }

const viewEngine = "View"

// views compiles the views of the policy. The comment of each ends with the digest of its
// definition, by which it is known whether a live one is the policy's.
func (s *Store) views() (all []*view, err error) {
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		if s.cluster == "" { // to other nodes a reader comes with a reader's rights
			readable, err := s.readableView(d)
			if err != nil {
				return nil, err
			}
			all = append(all, readable)
		}
		if d.Publish == nil {
			continue
		}
		for j := range d.Publish.Views {
			v, err := newView(s.db, d, &d.Publish.Views[j])
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
	}
	return all, nil
}

func newView(db Databases, d *config.Dataset, of *config.View) (*view, error) {
	v := &view{Database: db.Analytics, Name: of.Name, Table: d.Name, By: of.By, Returning: of.Returning}
	for _, name := range of.Measures {
		m := viewMeasure{Name: name}
		for _, q := range of.QuantilesOf() {
			m.Quantiles = append(m.Quantiles, viewQuantile{fmt.Sprintf("%.2f", float64(q)), fmt.Sprintf("_p%d", int(math.Round(float64(q)*100)))})
		}
		v.Measures = append(v.Measures, m)
	}
	statement := "view_counts"
	if v.Returning != "" {
		statement = "view_returning"
	}
	var err error
	if v.Select, err = render(statement, v); err != nil {
		return nil, err
	}
	sum := digest(v.Select)
	v.Comment = fmt.Sprintf("%s; from %s; definition %x", of.Description, d.Name, sum[:8])
	return v, nil
}

// ownView matches the comment of a view that Lapse has made.
var ownView = regexp.MustCompile(`; from [^;]*; definition [0-9a-f]{16}$`)

// makeViews makes the views that are missing or defined otherwise, and drops those that
// Lapse has made and the policy has no more: they hold nothing themselves. What is
// dropped is taken out of live.
func (s *Store) makeViews(ctx context.Context, wanted []*view, live map[string]*liveTable) error {
	known := map[string]bool{}
	for _, v := range wanted {
		known[v.full()] = true
		if t := live[v.full()]; t != nil && t.engine == viewEngine && t.comment == v.Comment {
			continue
		}
		if err := s.exec(ctx, "create_view", v, nil); err != nil {
			return fmt.Errorf("%s: %w", v.full(), err)
		}
	}
	for full, t := range live {
		if known[full] || t.engine != viewEngine || t.database != s.db.Analytics && t.database != s.db.Readable || !ownView.MatchString(t.comment) {
			continue // compare says what is wrong with it
		}
		if err := s.exec(ctx, "drop_view", &view{Database: t.database, Name: t.name}, nil); err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
		delete(live, full)
	}
	return nil
}

// full is the view's name with that of its database.
func (v *view) full() string { return v.Database + "." + v.Name }

// columnNames are those of the view, in order.
func (v *view) columnNames() []string {
	if v.Returning != "" {
		return []string{"first_month", "months_later", "values"}
	}
	names := append([]string{}, v.By...)
	names = append(names, "records")
	for _, m := range v.Measures {
		names = append(names, m.Name+"_count", m.Name+"_mean")
		for _, q := range m.Quantiles {
			names = append(names, m.Name+q.Suffix)
		}
	}
	return names
}
