package config

import "slices"

// ErasedBy returns the columns by which an erasure finds records: those that tell people
// apart, and that of the organisation.
func (d *Dataset) ErasedBy() []string {
	columns := slices.Clone(d.Subject)
	if d.Organisation != "" && !contains(columns, d.Organisation) {
		columns = append(columns, d.Organisation)
	}
	return columns
}

// OrganisationColumns returns the columns that hold organisations, of all datasets. One by
// which people are told apart is none of them.
func (p *Policy) OrganisationColumns() (columns []string) {
	for i := range p.Datasets {
		column := p.Datasets[i].Organisation
		tells := slices.ContainsFunc(p.Datasets, func(d Dataset) bool { return contains(d.Subject, column) })
		if column != "" && !tells && !contains(columns, column) {
			columns = append(columns, column)
		}
	}
	return columns
}
