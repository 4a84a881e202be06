package main

import (
	"slices"

	"github.com/dustin/go-humanize"
)

// chart is a bar chart with a group of bars for each month, or a bar of several parts,
// laid out for SVG. Lengths are in its own units.
type chart struct {
	Title         string
	Width, Height float64
	Bars          []bar
	Labels        []label // of the months
	Lines         []label // of the scale, with their heights
	Key           []keyEntry
}

type bar struct {
	X, Y, Width, Height float64
	Fill                string
	Says                string // shown where a pointer rests on it, and read aloud
}

type label struct {
	X, Y float64
	Text string
}

type keyEntry struct {
	X    float64
	Fill string
	Name string
}

// fills tell series apart in print without colour, too: they differ in lightness.
var fills = []string{"#1b3a5c", "#7da7cc", "#c9712b", "#efc38f", "#5b7f3a", "#bcd3a3"}

// The layout of a chart.
const (
	chartWidth, plotHeight = 900.0, 160.0
	plotLeft, plotTop      = 70.0, 30.0
	widestBar              = 60.0 // where there are few months
	mostMonths             = 48   // the newest are shown
	mostLabels             = 16
)

// barSeries is a name with a value for each month.
type barSeries struct {
	name   string
	values []uint64
}

// newChart lays a chart out. Stacked bars stand on each other, others side by side.
func newChart(title string, months []string, all []barSeries, stacked bool) *chart {
	if n := len(months); n > mostMonths {
		months = months[n-mostMonths:]
		for i := range all {
			all[i].values = all[i].values[n-mostMonths:]
		}
	}
	c := &chart{Title: title, Width: chartWidth, Height: plotTop + plotHeight + 30}
	if len(months) == 0 {
		return c
	}
	all = slices.DeleteFunc(all, func(s barSeries) bool { return slices.Max(s.values) == 0 })
	top := rounded(highest(all, len(months), stacked))
	slot := (chartWidth - plotLeft) / float64(len(months))
	for m, month := range months {
		c.addMonth(m, month, all, slot, float64(top), stacked)
		if every := (len(months) + mostLabels - 1) / mostLabels; m%every == 0 {
			c.Labels = append(c.Labels, label{plotLeft + slot*(float64(m)+0.5), plotTop + plotHeight + 16, month})
		}
	}
	for i, s := range all {
		c.Key = append(c.Key, keyEntry{plotLeft + 150*float64(i), fills[i%len(fills)], s.name})
	}
	for _, part := range []float64{0, 0.5, 1} {
		c.Lines = append(c.Lines, label{plotLeft, plotTop + plotHeight*(1-part), humanize.SIWithDigits(part*float64(top), 1, "")})
	}
	return c
}

// rounded returns the next number that people expect at the top of a scale, and that has
// a half.
func rounded(n uint64) uint64 {
	for unit := uint64(1); ; unit *= 10 {
		for _, top := range []uint64{2, 4, 6, 8, 10} {
			if top*unit >= n {
				return top * unit
			}
		}
	}
}

// highest is the highest value of a month.
func highest(all []barSeries, months int, stacked bool) (top uint64) {
	for m := range months {
		sum := uint64(0)
		for _, s := range all {
			if !stacked {
				sum = 0
			}
			sum += s.values[m]
			top = max(top, sum)
		}
	}
	return top
}

func (c *chart) addMonth(m int, month string, all []barSeries, slot, top float64, stacked bool) {
	width := min(0.8*slot, widestBar)
	step, group := 0.0, width
	if !stacked {
		width = min(0.8*slot/float64(len(all)), widestBar)
		step, group = width, width*float64(len(all))
	}
	left, base := plotLeft+slot*float64(m)+(slot-group)/2, plotTop+plotHeight
	for i, s := range all {
		height := plotHeight * float64(s.values[m]) / top
		if height == 0 {
			continue
		}
		c.Bars = append(c.Bars, bar{
			X: left + step*float64(i), Y: base - height, Width: width, Height: height, Fill: fills[i%len(fills)],
			Says: month + ": " + humanize.Comma(int64(s.values[m])) + " " + s.name,
		})
		if stacked {
			base -= height
		}
	}
}

// DoneCharts show what was done by month.
func (r *officerReport) DoneCharts() []*chart {
	var months []string
	rows := []barSeries{{name: "taken in"}, {name: "anonymised"}, {name: "erased"}}
	items := []barSeries{{name: "training items purged"}, {name: "objects deleted with them"}}
	for _, m := range r.Done {
		months = append(months, m.Month)
		for i, v := range []uint64{m.Stored, m.Anonymised, m.Erased} {
			rows[i].values = append(rows[i].values, v)
		}
		for i, v := range []uint64{m.Items, m.Objects} {
			items[i].values = append(items[i].values, v)
		}
	}
	return drawn(newChart("Rows taken in, anonymised and erased, by the month in which that was done", months, rows, false),
		newChart("Training items purged, by month", months, items, false))
}

// HeldCharts show what is held by month.
func (r *officerReport) HeldCharts() []*chart {
	var held []barSeries
	var months []string
	for _, d := range r.Status.Datasets {
		s := barSeries{name: d.Dataset}
		for _, m := range r.Held {
			s.values = append(s.values, m.Rows[d.Dataset])
		}
		held = append(held, s)
	}
	for _, m := range r.Held {
		months = append(months, m.Month)
	}
	return drawn(newChart("Rows of personal data that are held, by the month of the event", months, held, true))
}

// drawn leaves out charts that show nothing.
func drawn(charts ...*chart) []*chart {
	return slices.DeleteFunc(charts, func(c *chart) bool { return len(c.Bars) == 0 })
}
