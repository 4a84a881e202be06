package config

import (
	"math"
	"slices"
)

// View is a question that analysts often ask of an anonymised table, as a view beside it.
// It either counts the records of each value of some columns, and says how measures are
// distributed among them, or it says how many of a column's values come back in later
// months. It is computed from published rows alone.
type View struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// By are the published columns, or day, of which each combination of values is a row.
	By []string `yaml:"by,omitempty"`
	// Measures are published measures, each with its mean and Quantiles.
	Measures []string `yaml:"measures,omitempty"`
	// Quantiles are from 0 to 1, in hundredths; 0.5, 0.95 and 0.99 if they are left out.
	Quantiles []Share `yaml:"quantiles,omitempty"`
	// Returning is the published column, such as an organisation, whose values are counted
	// by the month in which they were first met and the months after it.
	Returning string `yaml:"returning,omitempty"`
}

// QuantilesOf returns the quantiles of the measures.
func (v *View) QuantilesOf() []Share {
	if len(v.Quantiles) > 0 {
		return v.Quantiles
	}
	return []Share{0.5, 0.95, 0.99}
}

// column returns the published column called name.
func (p *Publication) column(name string) (*PublishedColumn, bool) {
	i := slices.IndexFunc(p.Columns, func(c PublishedColumn) bool { return c.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Columns[i], true
}

// dayColumn is in every anonymised table.
const dayColumn = "day"

// checkViews checks the views of all datasets; names are shared with the tables.
func (p *Policy) checkViews(r *reporter) {
	seen := map[string]bool{}
	for i := range p.Datasets {
		seen[p.Datasets[i].Name] = true
	}
	for i := range p.Datasets {
		d := &p.Datasets[i]
		if d.Publish == nil {
			continue
		}
		at := place{path: "$"}.key("datasets").item(i, d.Name).key("publish").key("views")
		for j := range d.Publish.Views {
			v := &d.Publish.Views[j]
			here := at.item(j, v.Name)
			unique(r, here.key("name"), seen, v.Name)
			d.Publish.checkView(r, here, v)
		}
	}
}

func (p *Publication) checkView(r *reporter, at place, v *View) {
	if v.Description == "" {
		r.fault(at.key("description"), "say which question the view answers: it is the view's comment in the database")
	}
	if (len(v.By) > 0) == (v.Returning != "") {
		r.fault(at, "give either 'by', the columns to count by, or 'returning', the column whose values come back")
	}
	seen := map[string]bool{}
	for i, name := range v.By {
		here := at.key("by").item(i, name)
		if c, ok := p.column(name); name != dayColumn && (!ok || c.Measure) {
			r.fault(here, "%q is no published column with levels or of sensitive values, nor %s", name, dayColumn)
		}
		if seen[name] {
			r.fault(here, "%q is there twice", name)
		}
		seen[name] = true
	}
	for i, name := range v.Measures {
		if c, ok := p.column(name); !ok || !c.Measure || v.Returning != "" {
			r.fault(at.key("measures").item(i, name), "%q is no published measure, or the view counts no records", name)
		}
	}
	for i, q := range v.Quantiles {
		if hundredths := float64(q) * 100; math.Abs(hundredths-math.Round(hundredths)) > 1e-9 {
			r.fault(at.key("quantiles").item(i, ""), "quantiles are in hundredths, such as 0.95")
		}
	}
	if c, ok := p.column(v.Returning); v.Returning != "" && (!ok || c.Measure) {
		r.fault(at.key("returning"), "%q is no published column with levels or of sensitive values", v.Returning)
	}
}
