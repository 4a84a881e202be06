package traffic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// purpose is a model in training: it takes images from opens until completes,
// both in eighteenths of the period; 0 means that it is not completed in it.
type purpose struct {
	name             string
	opens, completes int
}

var purposes = []purpose{
	{"face-detection-v1", 0, 5},
	{"face-landmarks-v1", 1, 8},
	{"expression-v1", 3, 11},
	{"face-detection-v2", 5, 14},
	{"age-estimation-v1", 9, 17},
	{"face-detection-v3", 13, 0},
	{"liveness-v1", 0, 0},
}

// training writes the images, their derivatives and the manifests.
type training struct {
	config Config
	seed   seed
	r      *rand.Rand
	pixels *rand.Rand
	create Create
	out    *monthly
	times  *timeline
	start  instant
	end    instant

	staff    map[string][]string // user ids by organisation
	members  weights             // organisations, by how much they upload
	ids      []string            // of the organisations
	departed map[string]instant  // when an organisation withdrew
	lastSeen map[string]instant  // last upload that shows a person

	truth   Training
	entries []entry
	object  []byte
}

// entry is a line of the manifest to be.
type entry struct {
	at   instant
	kind string
	line []byte
}

func newTraining(c Config, s seed, people *population, create Create, out *monthly) *training {
	w := &training{
		config: c, seed: s, r: s.source(trainingStream), pixels: s.source(pixelStream),
		create: create, out: out, times: newTimeline(c, s.source(trainingTimes), c.Images),
		start: instantOf(c.Start), end: instantOf(c.end()),
		staff: map[string][]string{}, departed: map[string]instant{}, lastSeen: map[string]instant{},
		members: weigh(c.Organisations, func(i int) int { return 1_000_000 / (i + 5) }),
	}
	for i := range people.organisations {
		w.ids = append(w.ids, people.organisations[i].id)
	}
	for i := range people.people {
		if p := &people.people[i]; p.organisation != nil {
			w.staff[p.organisation.id] = append(w.staff[p.organisation.id], p.user)
		}
	}
	return w
}

func (w *training) run(made func() error) error {
	if w.config.Images == 0 {
		return nil
	}
	w.complete()
	w.depart()
	for n := range w.config.Images {
		if err := w.upload(n, w.times.next()); err != nil {
			return err
		}
		if err := made(); err != nil {
			return err
		}
	}
	w.decide()
	return w.writeManifests()
}

// complete enters the completion of purposes.
func (w *training) complete() {
	w.truth.Completions = map[string]time.Time{}
	for _, p := range purposes {
		if p.completes == 0 {
			continue
		}
		at := w.moment(p.completes) + w.within(0, day)
		w.truth.Completions[p.name] = at.time()
		b := w.beginEntry("training_purpose_completed", at)
		w.endEntry(appendText(b, "purpose", p.name), "training_purpose_completed", at)
	}
}

// moment returns the instant at n eighteenths of the period.
func (w *training) moment(n int) instant { return w.start + (w.end-w.start)/18*instant(n) }

// depart draws the organisations, one in twenty, that withdraw as a whole. The
// first one never does, so that there is always one to upload.
func (w *training) depart() {
	for range min(max(1, len(w.ids)/20), len(w.ids)-1) {
		id := w.ids[1+w.r.IntN(min(len(w.ids)-1, 12))]
		if _, twice := w.departed[id]; twice {
			continue
		}
		at := w.moment(between(w.r, 6, 15)) + w.within(0, w.moment(1)-w.start)
		w.departed[id] = at
		w.enterDecision(Decision{At: at.time(), Organisation: id})
	}
}

// upload writes the nth image with its derivatives and enters it.
func (w *training) upload(n int, at instant) error {
	item := Item{Uploaded: at.time(), Organisation: w.ids[w.members.draw(w.r)]}
	for left, gone := w.departed[item.Organisation]; gone && left <= at; left, gone = w.departed[item.Organisation] {
		item.Organisation = w.ids[w.members.draw(w.r)]
	}
	stem := fmt.Sprintf("%s/%s/img-%06d", item.Organisation, at.time().Format("2006/01"), n+1)
	item.Key = stem + ".jpg"
	item.Subjects = w.subjects(item.Organisation, at)
	item.Purposes = w.purposesAt(at)
	consent := w.r.IntN(20) // 0: refused, 1: not mentioned
	item.Consent = consent > 1
	sum, err := w.writeImage(&item)
	if err != nil {
		return err
	}
	if err := w.writeDerivatives(&item, stem); err != nil {
		return err
	}
	b := w.beginEntry("training_item", at)
	b = appendText(b, "bucket", "training")
	b = appendText(b, "key", item.Key)
	b = appendText(b, "organisation", item.Organisation)
	b = appendStrings(b, "subjects", item.Subjects)
	b = appendText(b, "media_type", "image/jpeg")
	b = appendNumber(b, "bytes", item.Bytes)
	b = appendText(b, "sha256", sum)
	b = appendStrings(b, "purposes", item.Purposes)
	b = appendStrings(b, "derivatives", item.Derivatives)
	if consent != 1 {
		b = appendBool(b, "consent", item.Consent)
	}
	w.endEntry(b, "training_item", at)
	w.truth.Items = append(w.truth.Items, item)
	return nil
}

// subjects draws who is to be seen: one or two of the organisation's people, or
// nobody known.
func (w *training) subjects(organisation string, at instant) []string {
	staff := w.staff[organisation]
	if len(staff) == 0 || w.r.IntN(20) == 0 {
		return nil
	}
	seen := []string{pick(w.r, staff)}
	if other := pick(w.r, staff); w.r.IntN(4) == 0 && other != seen[0] {
		seen = append(seen, other)
	}
	for _, user := range seen {
		w.lastSeen[user] = at
	}
	return seen
}

// purposesAt draws one to three of the purposes that take images at the time;
// one image in six may serve a purpose that is never completed.
func (w *training) purposesAt(at instant) []string {
	var open, lasting []string
	for _, p := range purposes {
		switch {
		case at < w.moment(p.opens) || p.completes > 0 && at >= w.moment(p.completes):
		case p.completes == 0:
			lasting = append(lasting, p.name)
		default:
			open = append(open, p.name)
		}
	}
	if len(open) == 0 || w.r.IntN(6) == 0 {
		open = append(lasting, open...)
	}
	w.r.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	wanted := min(between(w.r, 1, 3), len(open))
	return slices.Sorted(slices.Values(open[:wanted]))
}
