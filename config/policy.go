package config

import "crypto/sha256"

// PolicyFormat is the version of the policy file's format that this program
// reads and writes.
const PolicyFormat = 1

// Policy is a privacy policy as code: what is held about whom, for which purpose
// and on which legal basis, for how long, and what is done with it then.
type Policy struct {
	// Format is the version of the file's format: 1.
	Format int `yaml:"lapse"`
	// Name identifies the policy in audit entries.
	Name string `yaml:"name"`
	// Version identifies this text of the policy, such as the date of its last change.
	Version string `yaml:"version"`
	// EffectiveFrom is the first day, in TimeZone, on which this version applies.
	EffectiveFrom Date `yaml:"effective_from"`
	// Source says where the policy is published.
	Source string `yaml:"source,omitempty"`
	// TimeZone is the zone in which months and days of windows are counted.
	TimeZone   Zone       `yaml:"time_zone"`
	Controller Party      `yaml:"controller"`
	DPO        Party      `yaml:"dpo"`
	Regions    Regions    `yaml:"regions"`
	Categories []Category `yaml:"categories"`
	Purposes   []Purpose  `yaml:"purposes"`
	Datasets   []Dataset  `yaml:"datasets"`
	Training   *Training  `yaml:"training,omitempty"`
	Quarantine Quarantine `yaml:"quarantine"`
	// InputFiles says what becomes of input files that have been ingested.
	InputFiles *InputFilesRule `yaml:"input_files,omitempty"`
	// Deduplication is how far the times of a record and of its copy may lie apart, in
	// whole days; P7D if it is left out. A copy from farther away is a record of its own.
	Deduplication Period `yaml:"deduplication,omitempty"`
	// Consent says how the consent that records carry is used.
	Consent *ConsentRule `yaml:"consent,omitempty"`
	// MinimumAge refuses records about people who are too young.
	MinimumAge *AgeRule `yaml:"minimum_age,omitempty"`
	// Pseudonyms says how columns that derive pseudonyms are keyed.
	Pseudonyms *PseudonymRule `yaml:"pseudonyms,omitempty"`
	// Recipients are the classes of those to whom data may be disclosed.
	Recipients []Recipient `yaml:"recipients,omitempty"`
	// Requests says how the requests of data subjects are answered.
	Requests *RequestRule `yaml:"requests,omitempty"`

	// File is the path the policy was loaded from.
	File string `yaml:"-"`
	// Hash is the SHA-256 of the file's bytes. Where the policy names further files, it
	// is that of this SHA-256 followed by theirs, in the order in which they are first
	// named. It stands in every audit entry.
	Hash [sha256.Size]byte `yaml:"-"`
}

// Party is a controller or a data protection officer, as named to data subjects.
type Party struct {
	Name    string `yaml:"name"`
	Number  string `yaml:"number,omitempty"` // company number
	Address string `yaml:"address,omitempty"`
	Email   string `yaml:"email,omitempty"`
}

// Regions says where personal data may lie (chapter V GDPR).
type Regions struct {
	// Allowed are the regions in which a store may keep personal data.
	Allowed []string `yaml:"allowed"`
	// Safeguards are the transfer safeguards under which a store may lie elsewhere.
	Safeguards []string `yaml:"safeguards,omitempty"`
	// Exclude refuses records about people in some countries.
	Exclude *Exclusion `yaml:"exclude,omitempty"`
}

// Category is a kind of personal data as the policy describes it to people,
// field by field.
type Category struct {
	ID          string `yaml:"id"`
	Clause      string `yaml:"clause"`
	Description string `yaml:"description"`
	// Special marks special categories of Article 9 GDPR.
	Special bool `yaml:"special,omitempty"`
	// Fields maps each field's id to the policy's words for it.
	Fields map[string]string `yaml:"fields"`
}

// Purpose is an entry of the purpose register: no purpose, no storage.
type Purpose struct {
	ID          string       `yaml:"id"`
	Clause      string       `yaml:"clause"`
	Description string       `yaml:"description"`
	Data        []string     `yaml:"data"` // types of personal data, in the policy's words
	LegalBases  []LegalBasis `yaml:"legal_bases"`
	// Consent is the category of choices (of context.consent.categoryPreferences)
	// without which the purpose is not pursued. What serves no other purpose is then
	// not stored.
	Consent string `yaml:"consent,omitempty"`
	// Automated describes the profiling, and the decisions without a person, that the
	// purpose involves (Articles 13(2)(f), 15(1)(h) and 22 GDPR), if it does.
	Automated *AutomatedDecision `yaml:"automated,omitempty"`
}

// AutomatedDecision says in words for people what is decided or inferred about them by
// machines alone.
type AutomatedDecision struct {
	Clause string `yaml:"clause"`
	// Logic is the logic involved: from what, by what means, what is inferred.
	Logic string `yaml:"logic"`
	// Significance is what it means for the person, and what follows.
	Significance string `yaml:"significance"`
	// Review is how a person can be had to look at it, and how it can be contested; if it
	// is left out, the data protection officer is asked.
	Review string `yaml:"review,omitempty"`
}

// LegalBasis is one ground of Article 6(1) GDPR, and when it applies.
type LegalBasis struct {
	Basis Basis  `yaml:"basis"`
	When  string `yaml:"when,omitempty"`
	// Interest says which interest is pursued where the basis is legitimate interests.
	Interest string `yaml:"interest,omitempty"`
}

// Basis names a ground of Article 6(1) GDPR.
type Basis string

// The legal bases.
const (
	Consent             Basis = "consent"
	Contract            Basis = "contract"
	LegalObligation     Basis = "legal_obligation"
	VitalInterests      Basis = "vital_interests"
	PublicTask          Basis = "public_task"
	LegitimateInterests Basis = "legitimate_interests"
)

// Trigger is the event from which a retention window runs.
type Trigger string

// The triggers.
const (
	EventTime        Trigger = "event_time"        // the record's own time
	AccountClosed    Trigger = "account_closed"    // the subject's closing of the account
	LastActivity     Trigger = "last_activity"     // the subject's last record
	PurposeCompleted Trigger = "purpose_completed" // the last purpose of a training item
	ConsentWithdrawn Trigger = "consent_withdrawn" // for a training item
	ConsentAbsent    Trigger = "consent_absent"    // the upload of an item that nobody consented to store
	ChildUnconfirmed Trigger = "child_unconfirmed" // the upload of an item that shows a child, without the consent that takes
	Erasure          Trigger = "erasure"           // a request to erase a person, or the end of an organisation's contract
	Uploaded         Trigger = "uploaded"          // the upload of an item, whatever it is still needed for
)

// Action is what happens when a window has passed.
type Action string

// The actions.
const (
	Anonymise Action = "anonymise" // publish generalised, then delete
	Erase     Action = "erase"     // delete
)

// Window is a retention period with its reason.
type Window struct {
	Trigger Trigger `yaml:"trigger"`
	Keep    Period  `yaml:"keep"`
	Action  Action  `yaml:"action"`
	Clause  string  `yaml:"clause"`
	// Rationale says why this long, with reference to the criteria of the policy
	// (amount, nature, sensitivity, risk, purpose, law).
	Rationale string `yaml:"rationale"`
	// Event is the name of the record that closes an account, where the trigger
	// is account_closed.
	Event string `yaml:"event,omitempty"`
	// Organisations have periods of their own, because of what was agreed with them
	// ("unless we inform you otherwise"). Only for the trigger event_time of datasets
	// that say which column holds the organisation.
	Organisations []OrganisationWindow `yaml:"organisations,omitempty"`
	// Late says what to do with records that arrive when the window of their day has
	// passed: take them, due at once, or refuse them. If it is left out they are
	// taken where the action is to anonymise. Only for the trigger event_time.
	Late Choice `yaml:"late,omitempty"`
	// AtOnce says that a window of no length, which removes everything as soon as its day
	// is over or its event has happened, is meant.
	AtOnce bool `yaml:"at_once,omitempty"`
}

// OrganisationWindow is how long the records of some organisations are kept, in place
// of the window that it belongs to.
type OrganisationWindow struct {
	// Names are the organisations, as the dataset's column has them.
	Names     []string `yaml:"names"`
	Keep      Period   `yaml:"keep"`
	Clause    string   `yaml:"clause"`
	Rationale string   `yaml:"rationale"`
}

// Window returns the same as a window of its own, from the time of the event.
func (o *OrganisationWindow) Window() *Window {
	return &Window{Trigger: EventTime, Keep: o.Keep, Clause: o.Clause, Rationale: o.Rationale}
}

// periods are all periods of a window: its own and those of organisations.
func (w *Window) periods() []Period {
	all := []Period{w.Keep}
	for _, o := range w.Organisations {
		all = append(all, o.Keep)
	}
	return all
}

// Training is the rule for content used to train models.
type Training struct {
	Clause      string   `yaml:"clause"`
	Description string   `yaml:"description"`
	Field       string   `yaml:"field"`
	Purposes    []string `yaml:"purposes"`
	// Children says when an item shows a child, and who has to consent then.
	Children *ChildRule `yaml:"children,omitempty"`
	// Grace is how long an item is only hidden, and can be restored, before it is
	// deleted. If it is left out it is deleted at once.
	Grace Period `yaml:"grace,omitempty"`
	// Derivatives say which objects were made from an item without being registered, such
	// as crops and embeddings: they go with it. An object that is registered itself is
	// left out, and one that can have been made from several items was made from that with
	// the longest key.
	Derivatives []DerivativeRule `yaml:"derivatives,omitempty"`
	// Strays says what becomes of objects that the register does not know. If it is left
	// out they are only reported.
	Strays    *StrayRule `yaml:"strays,omitempty"`
	Retention []Window   `yaml:"retention"`
}

// StrayRule is the rule for objects in a bucket that the training register does not
// know: without a registration there is neither a purpose nor a consent.
type StrayRule struct {
	// Buckets are those, by their names in the settings, that hold training items, what was
	// made from them, and nothing else.
	Buckets []string `yaml:"buckets"`
	// Keep is how long after it was first noticed an object is deleted.
	Keep Period `yaml:"keep"`
	// MaxShare is the share of a bucket's objects above which none is deleted: then it is
	// more likely that the register is incomplete.
	MaxShare  float64 `yaml:"max_share"`
	Clause    string  `yaml:"clause"`
	Rationale string  `yaml:"rationale"`
}

// ChildRule says when an item shows a child, and whose consent it needs then (C9).
type ChildRule struct {
	// Under is the age in years from which nobody is a child.
	Under int `yaml:"under"`
	// OwnConsentOver is the age in years over which a child's own consent is enough;
	// up to it a guardian has to consent.
	OwnConsentOver int    `yaml:"own_consent_over"`
	Clause         string `yaml:"clause"`
}

// Quarantine is the rule for records that could not be read.
type Quarantine struct {
	Keep      Period `yaml:"keep"`
	Clause    string `yaml:"clause"`
	Rationale string `yaml:"rationale"`
}

// Dataset returns the dataset called name.
func (p *Policy) Dataset(name string) (*Dataset, bool) {
	for i := range p.Datasets {
		if p.Datasets[i].Name == name {
			return &p.Datasets[i], true
		}
	}
	return nil, false
}

// RegionAllowed reports whether personal data may lie in region, either because
// the policy allows it or because one of the policy's safeguards covers the
// transfer.
func (p *Policy) RegionAllowed(region, safeguard string) bool {
	return contains(p.Regions.Allowed, region) || safeguard != "" && contains(p.Regions.Safeguards, safeguard)
}
