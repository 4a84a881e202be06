package sinks

import (
	"context"
	"encoding/hex"
	"iter"
	"time"
)

// EntryFormat is the version of the audit entry's schema.
const EntryFormat = 1

// Entry is one line of the audit log. It says what Lapse was about to do or has
// done, to how much, by which rule, and never to whom: every field is a number,
// a time, a digest, a random id, a word of a closed vocabulary, or a Name out of
// the policy. There is no field that takes a caller's string.
//
// The fields stand in the order of their JSON names, so that encoding/json
// writes the canonical form of RFC 8785 (names sorted, no white space, integers
// below 2^53, ASCII).
type Entry struct {
	Action    Action           `json:"action"`
	Actor     Actor            `json:"actor"`
	AsOf      time.Time        `json:"as_of"`               // the time the policy was evaluated for, UTC
	Bucket    Name             `json:"bucket,omitzero"`     // the object store, as the settings name it
	Clause    Name             `json:"clause,omitzero"`     // clause of the privacy policy, e.g. "c12"
	Continues *LogHead         `json:"continues,omitempty"` // of the first entry of a year: where the year before ended
	Counts    map[Count]uint64 `json:"counts,omitempty"`    // what was found and done
	Dataset   Name             `json:"dataset,omitzero"`    // as the policy names it
	Due       time.Time        `json:"due,omitzero"`        // when the effect became due, UTC
	Error     ErrorClass       `json:"error,omitempty"`     // of a failed outcome
	Format    int              `json:"format"`              // EntryFormat
	ID        ID               `json:"id"`                  // random
	Item      ID               `json:"item,omitzero"`       // training item: random, not its object key
	Job       JobKind          `json:"job"`                 // which job wrote the entry
	K         *KResult         `json:"k,omitempty"`         // of a publication
	Locked    time.Time        `json:"locked,omitzero"`     // of a failed outcome: until when, at least, a store keeps what was to go, UTC
	NewKey    PublicKey        `json:"new_key,omitzero"`    // of a key rotation: signs everything after it
	Object    Digest           `json:"object,omitzero"`     // of a purged training item: ObjectDigest, keyed
	Partition *Partition       `json:"partition,omitempty"`
	Phase     Phase            `json:"phase"`
	Policy    PolicyRef        `json:"policy,omitzero"`  // absent only where the log writes about itself
	Query     Digest           `json:"query,omitzero"`   // SHA-256 of the SQL text that was run
	Result    Result           `json:"result,omitempty"` // of an outcome
	Rule      Rule             `json:"rule,omitempty"`   // the trigger of the window that applied
	Run       ID               `json:"run"`              // random, the same for all entries of one run
	Source    ID               `json:"source,omitzero"`  // content digest of an input file
	Stages    []StageTime      `json:"stages,omitempty"` // how far the effect got, and when
	Step      ID               `json:"step"`             // deterministic: the same work has the same step
	Time      time.Time        `json:"time"`             // when the entry was written, UTC
}

// PolicyRef names the exact policy that was carried out.
type PolicyRef struct {
	Hash    Digest `json:"hash"` // SHA-256 of the policy file's bytes
	Name    Name   `json:"name"`
	Version Name   `json:"version"`
}

// LogHead is the end of one year of the audit log: how many entries it has, and
// the root of the RFC 6962 Merkle tree over them.
type LogHead struct {
	Root Digest `json:"root"`
	Size uint64 `json:"size"`
	Year int    `json:"year"` // UTC
}

// PublicKey is an Ed25519 public key (RFC 8032). Its text form is 64 lower-case
// hexadecimal digits.
type PublicKey [32]byte

// MarshalText implements encoding.TextMarshaler.
func (k PublicKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *PublicKey) UnmarshalText(text []byte) error { return unhex(k[:], text) }

// KResult is the outcome of the k-anonymity check of one publication
// (Samarati and Sweeney 1998), counted over distinct subjects and not rows.
type KResult struct {
	Classes  uint64 `json:"classes"`  // equivalence classes published
	K        uint64 `json:"k"`        // the policy's k
	Smallest uint64 `json:"smallest"` // distinct subjects in the smallest published class
}

// StageTime says when a stage of an effect was reached.
type StageTime struct {
	Stage Stage     `json:"stage"`
	Time  time.Time `json:"time"`
}

// Phase tells the entry before an effect from the entry after it.
type Phase string

// The phases.
const (
	Intent  Phase = "intent"
	Outcome Phase = "outcome"
)

// Actor is what started a run.
type Actor string

// The actors.
const (
	ActorOperator  Actor = "operator"  // a person, from the command line
	ActorScheduler Actor = "scheduler" // lapse serve
	ActorDemo      Actor = "demo"      // lapse demo
)

// JobKind names a job.
type JobKind string

// The jobs.
const (
	JobIngest    JobKind = "ingest"
	JobAnonymise JobKind = "anonymise"
	JobPurge     JobKind = "purge"
	JobDispose   JobKind = "dispose"
	JobReconcile JobKind = "reconcile"
	JobConsent   JobKind = "consent"
	JobAudit     JobKind = "audit"    // the log itself: years and keys
	JobTraining  JobKind = "training" // what people decide about single training items
	JobHold      JobKind = "hold"     // legal holds
	JobReplay    JobKind = "replay"   // reads quarantined records again
	JobDrop      JobKind = "drop"     // deletes quarantined records that somebody has selected
	JobPolicy    JobKind = "policy"   // the policy that a service carries out
	JobRequest   JobKind = "request"  // the register of data subjects' requests
	JobSubject   JobKind = "subject"  // what accepted requests ask for
	JobRectify   JobKind = "rectify"  // putting right what is held of people
	JobDisclose  JobKind = "disclose" // giving data to others
	JobSweep     JobKind = "sweep"    // erasing again what came back
)

// Action is what an entry is about.
type Action string

// The actions.
const (
	ActionRun            Action = "run"              // a whole run of a job
	ActionIngestSource   Action = "ingest_source"    // take one input file into the personal tables
	ActionDisposeSource  Action = "dispose_source"   // delete an input file that has been ingested, or move it
	ActionAnonymise      Action = "anonymise"        // publish one partition anonymised, drop its personal rows
	ActionPublish        Action = "publish"          // publish one partition anonymised, while its personal rows live out their window
	ActionExpireFields   Action = "expire_fields"    // replace the values of columns in one partition by empty ones
	ActionErasePartition Action = "erase_partition"  // drop one personal partition without publishing it
	ActionEraseSubjects  Action = "erase_subjects"   // delete the rows of the subjects whose window has passed
	ActionPurgeItem      Action = "purge_item"       // delete one training item with its derivatives
	ActionForgetItems    Action = "forget_items"     // delete the register rows of purged training items
	ActionForgetConsents Action = "forget_consents"  // delete decisions about consent that hold no more
	ActionDestroyKey     Action = "destroy_key"      // destroy the key of the pseudonyms of a period of event time, or of the erasure ledger
	ActionRecordConsent  Action = "record_consent"   // enter decisions to consent in the consent ledger
	ActionWithdraw       Action = "withdraw_consent" // enter decisions against it
	ActionRotateKey      Action = "rotate_key"       // the log's next checkpoints are signed by NewKey
	ActionCloseYear      Action = "close_year"       // nothing follows in this year's log
	ActionOpenYear       Action = "open_year"        // the first entry of a year's log; see Continues
	ActionMarkItems      Action = "mark_items"       // hide the training items that are due, before they are deleted
	ActionRestoreItem    Action = "restore_item"     // take the mark from a training item, and what it was due for
	ActionPlaceHold      Action = "place_hold"       // Item is the hold's id
	ActionReleaseHold    Action = "release_hold"
	ActionReplaySource   Action = "replay_source"    // read the quarantined records of one input file again
	ActionDropRecords    Action = "drop_quarantined" // delete quarantined records before their window has passed
	ActionAdoptPolicy    Action = "adopt_policy"     // carry out another version of the policy from now on
	ActionReconcile      Action = "reconcile"        // compare a bucket with the training register, and note what nothing accounts for
	ActionPurgeStray     Action = "purge_stray"      // delete an object that the training register does not know
	ActionActivatePolicy Action = "activate_policy"  // a version of the policy is carried out for the first time

	// Of requests Item is the request's id.
	ActionReceiveRequest Action = "receive_request"
	ActionAwaitIdentity  Action = "await_identity" // the clock stands still until it is known who asks
	ActionAcceptRequest  Action = "accept_request"
	ActionRefuseRequest  Action = "refuse_request"
	ActionExtendRequest  Action = "extend_request"
	ActionCancelRequest  Action = "cancel_request"
	ActionAnswerRequest  Action = "answer_request" // everything that it takes is done
	ActionEnterErasure   Action = "enter_erasure"  // in the erasure ledger, before anything is deleted
	ActionRectifyRows    Action = "rectify_rows"   // give rows of a person the right values
	ActionDisclose       Action = "disclose"       // give data to a class of recipients; Item is the disclosure's id
	ActionDeleteExport   Action = "delete_export"  // the copy that was made for a person
	ActionErasePeople    Action = "erase_people"   // delete the rows of erased people from one partition, or a whole table
)

// Result is how an outcome ended.
type Result string

// The results.
const (
	ResultDone      Result = "done"      // verified
	ResultUnchanged Result = "unchanged" // nothing was left to do
	ResultPartial   Result = "partial"   // some steps of the run failed
	ResultFailed    Result = "failed"    // see Error; the step stays due
	ResultAbandoned Result = "abandoned" // interrupted, and cannot or need not be repeated
)

// Stage is how far an effect has got. Not known is never done.
type Stage string

// The stages, in order.
const (
	StageStored       Stage = "stored"           // rows are in the personal tables
	StageStaged       Stage = "staged"           // generalised and checked, not yet visible
	StagePublished    Stage = "published"        // visible to analysts
	StageVerified     Stage = "verified"         // checked again after publication by separate SQL
	StageHidden       Stage = "hidden"           // no longer returned by reads
	StageRemoved      Stage = "removed"          // dropped, deleted
	StageGone         Stage = "physically_gone"  // no inactive, detached or masked copy is left
	StageVersionsGone Stage = "versions_gone"    // no object version is left
	StageBackupsAged  Stage = "backups_aged_out" // the backup window has passed
)

// Rule is the trigger of the retention window that an effect carries out.
type Rule string

// The rules; config.Trigger has the same words.
const (
	RuleEventTime        Rule = "event_time"
	RuleAccountClosed    Rule = "account_closed"
	RuleLastActivity     Rule = "last_activity"
	RulePurposeCompleted Rule = "purpose_completed"
	RuleConsentWithdrawn Rule = "consent_withdrawn"
	RuleConsentAbsent    Rule = "consent_absent"
	RuleChildUnconfirmed Rule = "child_unconfirmed"
	RuleErasure          Rule = "erasure"
	RuleUploaded         Rule = "uploaded"
	RuleUnregistered     Rule = "unregistered" // an object that the training register does not know
	RuleQuarantined      Rule = "quarantined"
	RuleDecided          Rule = "decided"  // of decisions about consent that hold no more
	RuleIngested         Rule = "ingested" // of an input file: all of it is accounted for
)

// Count names a number in an entry.
type Count string

// The counts. For a source, CountRead = CountStored + CountQuarantined +
// CountRefused + CountDuplicate, exactly.
const (
	CountRead        Count = "read"
	CountStored      Count = "stored"
	CountQuarantined Count = "quarantined"
	CountRefused     Count = "refused"
	CountDuplicate   Count = "duplicate"

	// What was refused, by reason; together CountRefused.
	CountRefusedPurpose Count = "refused_no_purpose"
	CountRefusedConsent Count = "refused_no_consent"
	CountRefusedAge     Count = "refused_under_age"
	CountRefusedRegion  Count = "refused_excluded_region"
	CountRefusedErased  Count = "refused_erased"
	CountRefusedLate    Count = "refused_past_window"
	CountRefusedObject  Count = "refused_objection"

	CountBefore      Count = "rows_before"
	CountAfter       Count = "rows_after"
	CountSubjects    Count = "subjects"
	CountPublished   Count = "published"
	CountGeneralised Count = "generalised" // published at a coarser level than the first
	CountSuppressed  Count = "suppressed"
	CountHeld        Count = "held"        // left out because of a legal hold
	CountKeptLonger  Count = "kept_longer" // left out because their window is another one
	CountLoss        Count = "loss_ppm"    // detail lost by the publication, in parts per million
	CountObjects     Count = "objects"
	CountDerivatives Count = "derivatives"
	CountBytes       Count = "bytes"
	CountStrays      Count = "strays"    // objects that the register does not know
	CountMissing     Count = "missing"   // registered, and not in the bucket
	CountDiffering   Count = "differing" // of another size or content than registered
	CountOrphans     Count = "orphans"   // derivatives whose item is not in the bucket
	CountSteps       Count = "steps"
	CountFailed      Count = "failed"
)

// RefusalCounts are the counts of what was refused, by reason.
var RefusalCounts = []Count{
	CountRefusedPurpose, CountRefusedConsent, CountRefusedAge, CountRefusedRegion, CountRefusedErased, CountRefusedLate, CountRefusedObject,
}

// PolicyActivations remembers which versions of the policy have been carried out.
// Recording the same again has no effect.
type PolicyActivations interface {
	Activated(ctx context.Context, p PolicyRef) (bool, error)
	RecordActivation(ctx context.Context, p PolicyRef, at time.Time) error
}

// ErrorClass says what kind of failure an outcome met, without its text.
type ErrorClass string

// The error classes.
const (
	ErrorUnavailable   ErrorClass = "unavailable"    // a store did not answer; retry
	ErrorInvalidInput  ErrorClass = "invalid_input"  // the input cannot be read as what it says it is
	ErrorVerification  ErrorClass = "verification"   // a check after the effect did not hold
	ErrorSuppression   ErrorClass = "suppression"    // more would be suppressed than the policy allows
	ErrorConflict      ErrorClass = "conflict"       // somebody else changed what was being worked on
	ErrorRefused       ErrorClass = "refused"        // a store refused, e.g. an object lock
	ErrorSourceMissing ErrorClass = "source_missing" // the input file of an interrupted step is gone
	ErrorInterrupted   ErrorClass = "interrupted"    // cancelled or killed
	ErrorInternal      ErrorClass = "internal"
)

// AuditLog is the tamper-evident log of everything Lapse does.
//
// Append returns only when the entries are durable, in the order given and
// without an entry of another writer between them; an error means that none of
// them may be relied on, and the effect they announce must not happen. Several
// processes may append at once. Append sets Format, ID and Time.
type AuditLog interface {
	Append(ctx context.Context, entries ...*Entry) error
	// Backwards yields the entries from the newest to the oldest as they
	// stood when it was called. It ends at the first error.
	Backwards(ctx context.Context) iter.Seq2[*Entry, error]
}

// AuditRecord is an entry of the audit log in canonical form, with its place.
type AuditRecord struct {
	Year  int    // whose log it is in, UTC
	Index int64  // in that year's log, from 0
	Entry []byte // canonical JSON (RFC 8785)
}

// AuditCopy holds the entries of the audit log where they can be searched. It is no
// evidence: whoever keeps it can change it, and only the log itself is signed.
//
// Copying the same entries again has no effect. The entries of a copy that was
// interrupted, or of two at once, are there or not, by their place.
type AuditCopy interface {
	// FirstMissing returns a place up to which the copy is without a gap: if all
	// entries from there on are copied, none is missing.
	FirstMissing(ctx context.Context) (year int, index int64, err error)
	CopyEntries(ctx context.Context, records []AuditRecord) error
	// CopiedEntries yields what the copy holds, in the order of the places, with
	// whether the columns to search by agree with the entry they stand beside.
	CopiedEntries(ctx context.Context) iter.Seq2[CopiedEntry, error]
}

// CopiedEntry is an entry as a copy of the audit log holds it.
type CopiedEntry struct {
	AuditRecord
	Consistent bool
}
