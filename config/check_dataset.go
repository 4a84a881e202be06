package config

import (
	"slices"
	"strings"
)

// segmentTypes are the calls of the Segment specification.
var segmentTypes = []string{"track", "page", "screen", "identify", "group", "alias"}

// WebLogFields are the fields of a web server's log line.
var WebLogFields = []string{"remote_addr", "ident", "remote_user", "time", "method", "path", "query", "protocol", "status", "bytes", "referrer", "user_agent"}

func (p *Policy) checkDatasets(r *reporter) {
	list := place{path: "$"}.key("datasets")
	if len(p.Datasets) == 0 {
		r.fault(list, "a policy without datasets holds nothing and does nothing; describe at least one")
	}
	seen := map[string]bool{}
	for i := range p.Datasets {
		d := &p.Datasets[i]
		at := list.item(i, d.Name)
		unique(r, at.key("name"), seen, d.Name)
		if d.Name == "quarantine" || d.Name == "training" {
			r.fault(at.key("name"), "%q is the name of a table of the program's own; choose another", d.Name)
		}
		checkClause(r, at, d.Clause)
		p.checkPurposes(r, at.key("purposes"), d.Purposes)
		d.checkInput(r, at.key("input"))
		p.checkColumns(r, at, d)
		d.checkKeys(r, at)
		d.checkRetention(r, at)
		if d.MaxShare < 0 || d.MaxShare > 1 {
			r.fault(at.key("max_share"), "%g is not a share: use a number above 0 and up to 1, such as 0.2", d.MaxShare)
		}
		if d.Publish != nil {
			d.checkPublication(r, at.key("publish"))
		}
	}
	p.checkLastActivity(r, list)
}

func (d *Dataset) checkInput(r *reporter, at place) {
	switch d.Input.Format {
	case WebLog:
		if len(d.Input.Types)+len(d.Input.Events) > 0 {
			r.fault(at, "a web log has neither types nor events; leave both out")
		}
	case Segment:
		if len(d.Input.Types) == 0 {
			r.fault(at.key("types"), "name the calls that belong here, of %s", strings.Join(segmentTypes, ", "))
		}
		for i, t := range d.Input.Types {
			if !slices.Contains(segmentTypes, t) {
				r.fault(at.key("types").item(i, t), "%q is no Segment call; use %s", t, strings.Join(segmentTypes, ", "))
			}
		}
		if len(d.Input.Events) > 0 && !slices.Equal(d.Input.Types, []string{"track"}) {
			r.fault(at.key("events"), "only track calls have event names; set types to [track]")
		}
	default:
		r.fault(at.key("format"), "%q is not an input format; use segment or weblog", d.Input.Format)
	}
}

func (p *Policy) checkColumns(r *reporter, dataset place, d *Dataset) {
	seen := map[string]bool{}
	for i := range d.Columns {
		c := &d.Columns[i]
		at := dataset.key("columns").item(i, c.Name)
		unique(r, at.key("name"), seen, c.Name)
		if c.Type.IsZero() {
			r.fault(at.key("type"), "say the column's type, such as String")
		}
		d.checkFrom(r, at, c)
		d.checkExpires(r, at, c)
		p.checkField(r, at.key("field"), c.Field)
		p.checkPurposes(r, at.key("purposes"), c.Purposes)
		if len(d.PurposesOf(c)) == 0 {
			r.fault(at.key("purposes"), "the column serves no purpose: name one here or for the dataset, or drop the column")
		}
		if !known(identifying, c.Identifies) {
			r.fault(at.key("identifies"), "say whom the values identify: %s", join(identifying))
		}
	}
}

// checkExpires makes sure that nothing else is done with values that are gone.
func (d *Dataset) checkExpires(r *reporter, at place, c *Column) {
	if c.Expires == nil {
		return
	}
	at = at.key("expires")
	checkKeep(r, at, c.Expires.Keep, false)
	checkReason(r, at, c.Expires.Clause, c.Expires.Rationale)
	w, ok := d.Window(EventTime)
	switch {
	case !ok:
		r.fault(at, "the records have no window from %s, so they do not lie by their days; give them one", EventTime)
	case !shorter(c.Expires.Keep, w.Keep):
		r.fault(at.key("keep"), "the records go after %s in any case; give a shorter period, or leave it out", w.Keep)
	}
	switch {
	case slices.Contains(d.Subject, c.Name) || c.Name == d.Time || c.Name == d.Organisation:
		r.fault(at, "%q tells whose and of when a record is as long as there is one", c.Name)
	case slices.Contains(d.OrderBy, c.Name):
		r.fault(at, "%q is part of the sorting key, which cannot be changed; leave it out of order_by", c.Name)
	case d.Publish != nil && slices.ContainsFunc(d.Publish.Columns, func(p PublishedColumn) bool { return slices.Contains(p.Sources(), c.Name) }):
		r.fault(at, "%q is published when the records go, and would be empty by then; publish another column", c.Name)
	}
}

func (d *Dataset) checkFrom(r *reporter, at place, c *Column) {
	if len(c.From) == 0 && c.Derive != DeriveEventTime && c.Derive != DeriveDropped {
		r.fault(at.key("from"), "say which field of the record the column is taken from")
	}
	for i, f := range c.From {
		known := d.Input.Format == WebLog && slices.Contains(WebLogFields, f) ||
			d.Input.Format == Segment && isPath(f)
		if !known {
			r.fault(at.key("from").item(i, f), "%q is not a field of a %s record; %s", f, d.Input.Format,
				map[bool]string{true: "use one of " + strings.Join(WebLogFields, ", "), false: "write a dotted path such as context.page.url"}[d.Input.Format == WebLog])
		}
	}
	switch c.Derive {
	case DeriveNone:
	case DeriveEventTime:
		if c.Type.Kind() != Time || d.Input.Format != Segment {
			r.fault(at.key("derive"), "event_time gives the time of a Segment call; the column must be a DateTime64(3)")
		}
	case DeriveBrowser, DeriveBrowserVer, DeriveOS, DeriveDevice, DeriveAgent, DeriveNetwork, DeriveCountry, DeriveBareURL, DerivePseudonym:
		if c.Type.Kind() != Text {
			r.fault(at.key("derive"), "%s is text; set the column's type to String or LowCardinality(String)", c.Derive)
		}
	case DeriveDropped:
		if c.Name == d.Time {
			r.fault(at.key("derive"), "the time of the event cannot be dropped")
		}
	default:
		r.fault(at.key("derive"), "%q is not a derivation; use %s", c.Derive, join(derivations))
	}
}

// checkKeys checks the references to the dataset's own columns.
func (d *Dataset) checkKeys(r *reporter, at place) {
	if c, ok := d.Column(d.Time); !ok {
		r.fault(at.key("time"), "there is no column %q; name the column of the event's own time", d.Time)
	} else if c.Type.Name() != "DateTime64(3)" || c.Type.Nullable() {
		r.fault(at.key("time"), "the column %q must be a DateTime64(3)", d.Time)
	}
	if len(d.Subject) == 0 {
		r.fault(at.key("subject"), "name the columns that tell people apart: k counts distinct people")
	}
	for i, name := range d.Subject {
		if c, ok := d.Column(name); !ok || c.Type.String() != "String" || c.Identifies != Directly {
			r.fault(at.key("subject").item(i, name), "%q must be a column of type String that identifies directly", name)
		}
	}
	if c, ok := d.Column(d.Organisation); d.Organisation != "" && (!ok || c.Type.Kind() != Text) {
		r.fault(at.key("organisation"), "%q must be a column of type String or LowCardinality(String)", d.Organisation)
	}
	for i, name := range d.OrderBy {
		if c, ok := d.Column(name); !ok || c.Identifies == Directly || c.Type.Nullable() {
			r.fault(at.key("order_by").item(i, name), "%q must be a column that does not identify directly and is not Nullable: a sorting key stays in the parts' metadata", name)
		}
	}
}

func (d *Dataset) checkRetention(r *reporter, at place) {
	allowed := map[Trigger][]Action{EventTime: {Anonymise, Erase}}
	if d.Input.Format == Segment {
		allowed[AccountClosed] = []Action{Erase}
		allowed[LastActivity] = []Action{Erase}
	}
	checkWindows(r, at, d.Retention, allowed)
	w, ok := d.Window(EventTime)
	if ok {
		d.checkOrganisations(r, at, w)
	}
	switch {
	case ok && w.Action == Anonymise && d.Publish == nil:
		r.fault(at.key("publish"), "a window says to anonymise: describe the anonymised table")
	case d.Publish != nil && !(ok && w.Action == Anonymise):
		r.fault(at.key("publish"), "nothing is ever published here: no window says to anonymise")
	}
}

// checkOrganisations checks the windows that organisations have of their own.
func (d *Dataset) checkOrganisations(r *reporter, at place, w *Window) {
	at = at.key("retention").item(slices.IndexFunc(d.Retention, func(o Window) bool { return o.Trigger == w.Trigger }), string(w.Trigger))
	seen := map[string]bool{}
	for i, o := range w.Organisations {
		at := at.key("organisations").item(i, "")
		if d.Organisation == "" {
			r.fault(at, "say in the dataset which column holds the organisation (organisation: …)")
		}
		if len(o.Names) == 0 {
			r.fault(at.key("names"), "name the organisations, as their records do")
		}
		for j, name := range o.Names {
			if name == "" || seen[name] {
				r.fault(at.key("names").item(j, name), "%q stands in two windows, or is no name", name)
			}
			seen[name] = true
		}
		checkKeep(r, at, o.Keep, false)
		checkReason(r, at, o.Clause, o.Rationale)
	}
}

// checkLastActivity makes sure that a subject's last activity can still be seen
// when it matters: the records that witness it must be held that long.
func (p *Policy) checkLastActivity(r *reporter, list place) {
	for i := range p.Datasets {
		d := &p.Datasets[i]
		if d.looksElsewhere() && d.pseudonymous() {
			r.fault(list.item(i, d.Name).key("retention"), "windows from account_closed and last_activity look for the person in other datasets; a pseudonym is another one there and in every period")
		}
		last, ok := d.Window(LastActivity)
		if !ok {
			continue
		}
		for _, other := range p.Datasets {
			w, ok := other.Window(EventTime)
			if !ok || !other.SharesSubject(d) {
				continue
			}
			for _, keep := range w.periods() {
				if shorter(keep, last.Keep) {
					r.fault(list.item(i, d.Name).key("retention"), "last_activity looks back %s, but %s keeps its records for %s only; shorten the one or lengthen the other", last.Keep, other.Name, keep)
				}
			}
		}
	}
}

// looksElsewhere reports whether a window's event is told by other datasets.
func (d *Dataset) looksElsewhere() bool {
	_, last := d.Window(LastActivity)
	_, closed := d.Window(AccountClosed)
	return last || closed
}

// pseudonymous reports whether the subject is known by a pseudonym.
func (d *Dataset) pseudonymous() bool {
	if len(d.Subject) == 0 {
		return false
	}
	c, ok := d.Column(d.Subject[0])
	return ok && c.Derive == DerivePseudonym
}

// SharesSubject reports whether d and other identify people by the same field, so
// that what a person does in the one is known in the other.
func (d *Dataset) SharesSubject(other *Dataset) bool {
	return len(d.Subject) > 0 && len(other.Subject) > 0 && d.Input.Format == other.Input.Format && slices.Equal(d.subjectField(), other.subjectField()) &&
		d.pseudonymous() == other.pseudonymous()
}

// subjectField returns the input fields of the dataset's first subject column.
func (d *Dataset) subjectField() StringList {
	c, ok := d.Column(d.Subject[0])
	if !ok {
		return nil
	}
	return c.From
}

func (d *Dataset) checkPublication(r *reporter, at place) {
	u := d.Publish
	if u.K < 2 {
		r.fault(at.key("k"), "k must be at least 2; 5 is the least that statistical offices commonly use")
	}
	if w, ok := d.Window(EventTime); ok && !u.After.IsZero() && !shorter(u.After, w.Keep) {
		r.fault(at.key("after"), "rows are published when their window of %s has passed in any case; give a shorter time, such as P1D, or leave it out", w.Keep)
	}
	seen := map[string]bool{}
	for i, c := range u.Columns {
		d.checkPublished(r, at.key("columns").item(i, c.Name), c, seen)
	}
	if len(u.ClassColumns()) == 0 {
		r.fault(at.key("columns"), "no column has levels, so there is no equivalence class to check")
	}
	if len(u.Chain) == 0 {
		r.fault(at.key("chain"), "name at least one level vector; '- {}' is the finest level of every column")
	}
	u.checkChain(r, at)
}

func (d *Dataset) checkPublished(r *reporter, at place, c PublishedColumn, seen map[string]bool) {
	unique(r, at.key("name"), seen, c.Name)
	if c.Name == "day" {
		r.fault(at.key("name"), "every published table has a column \"day\" already; choose another name")
	}
	source, ok := d.Column(c.From)
	if !ok {
		r.fault(at.key("from"), "the dataset has no column %q", c.From)
		return
	}
	if uses := count(len(c.Levels) > 0 || c.Hierarchy != nil, c.Sensitive != nil, c.Measure); uses != 1 {
		r.fault(at, "give either levels or a hierarchy, as part of the class, or what must hold of sensitive values, or 'measure: true'")
	}
	d.checkSensitive(r, at.key("sensitive"), c, source)
	if c.Weight != nil && (!c.InClass() || !(*c.Weight >= 0 && *c.Weight <= 1)) {
		r.fault(at.key("weight"), "a weight is a number from 0 to 1, for a column with levels")
	}
	if c.Measure && (source.Type.Kind() != Integer && source.Type.Kind() != Float || source.Identifies != Nobody) {
		r.fault(at.key("measure"), "a measure is a number that identifies nobody; %q is %s and identifies %s", c.From, source.Type, source.Identifies)
	}
	for i, level := range c.Levels {
		at := at.key("levels").item(i, "")
		if problem := level.problem(source.Type); problem != "" {
			r.fault(at, "%s", problem)
		} else if source.Identifies == Directly && level.Name != Any && level.Name != IPPrefix {
			r.fault(at, "%q identifies directly and may not be published; use any or ip_prefix, or leave the column out", c.From)
		}
		d.checkLevelColumns(r, at, level)
		if i > 0 {
			c.Levels[i-1].checkRare(r, at, level)
		}
	}
}

// checkRare checks that a level of rare values is coarser than the one before it.
func (t Transform) checkRare(r *reporter, at place, next Transform) {
	switch {
	case next.Name != Rare:
	case t.Name == Any || t.Name == Constant:
		r.fault(at, "the level before makes all values alike, so none of them is rare; put rare before it")
	case t.Name == Rare && slices.Compare(t.Numbers, next.Numbers) >= 0:
		r.fault(at, "the level before asks for as many people; a coarser level must ask for more")
	}
}

// checkLevelColumns checks the columns that a level takes its values from.
func (d *Dataset) checkLevelColumns(r *reporter, at place, level Transform) {
	for _, name := range level.Columns {
		if c, ok := d.Column(name); !ok || c.Type.Kind() != Text || c.Identifies == Directly {
			r.fault(at, "%q must be a column of type String or LowCardinality(String) that does not identify directly", name)
		}
	}
}

// checkSensitive checks what is asked of a sensitive column.
func (d *Dataset) checkSensitive(r *reporter, at place, c PublishedColumn, source *Column) {
	s := c.Sensitive
	if s == nil {
		return
	}
	if source.Identifies == Directly {
		r.fault(at, "%q identifies directly and may not be published", c.From)
	}
	if source.Type.Kind() == Time || source.Type.Kind() == Float {
		r.fault(at, "a sensitive column has values that occur more than once; %q is %s", c.From, source.Type)
	}
	if s.DistinctL == 0 && s.EntropyL == 0 && s.Recursive == nil && s.T == 0 {
		r.fault(at, "say what must hold of the values in every class: distinct_l, entropy_l, recursive or t")
	}
	if s.DistinctL != 0 && s.DistinctL < 2 {
		r.fault(at.key("distinct_l"), "fewer than 2 different values hide nothing")
	}
	if s.EntropyL != 0 && !(s.EntropyL > 1) {
		r.fault(at.key("entropy_l"), "l must be greater than 1; the entropy of a single value is the logarithm of 1")
	}
	if s.Recursive != nil && (s.Recursive.L < 2 || !(s.Recursive.C > 0)) {
		r.fault(at.key("recursive"), "l must be at least 2 and c greater than 0")
	}
	if !(s.T >= 0 && s.T <= 1) {
		r.fault(at.key("t"), "t is a distance from 0 to 1")
	}
}

func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// checkChain checks that every vector is reachable and no finer than the last.
func (p *Publication) checkChain(r *reporter, at place) {
	columns := p.ClassColumns()
	for i, step := range p.Chain {
		for name, level := range step {
			at := at.key("chain").item(i, "").key(name)
			j := slices.IndexFunc(columns, func(c PublishedColumn) bool { return c.Name == name })
			if j < 0 {
				r.fault(at, "there is no class column %q", name)
			} else if len(columns[j].Levels) == 0 {
				continue // what is wrong with its hierarchy is said there
			} else if level < 0 || level >= len(columns[j].Levels) {
				r.fault(at, "%q has the levels 0 to %d", name, len(columns[j].Levels)-1)
			}
		}
	}
	vectors := p.Vectors()
	for i := 1; i < len(vectors); i++ {
		for j := range columns {
			if vectors[i][j] < vectors[i-1][j] {
				r.fault(at.key("chain").item(i, ""), "%q becomes finer again; each vector must be coarser than the one before", columns[j].Name)
			}
		}
		if slices.Equal(vectors[i], vectors[i-1]) {
			r.fault(at.key("chain").item(i, ""), "the vector is the same as the one before; drop it")
		}
	}
}
