package auditlog

import (
	"reflect"
	"slices"

	"github.com/facesoft/lapse/sinks"
)

// vocabularies lists the words of every closed vocabulary of an entry. A word
// that is missing here cannot be written to the log; a test compares the lists
// with the constants of package sinks.
var vocabularies = map[reflect.Type][]string{
	reflect.TypeFor[sinks.Phase](): words(sinks.Intent, sinks.Outcome),
	reflect.TypeFor[sinks.Actor](): words(sinks.ActorOperator, sinks.ActorScheduler, sinks.ActorDemo),
	reflect.TypeFor[sinks.JobKind](): words(sinks.JobIngest, sinks.JobAnonymise, sinks.JobPurge,
		sinks.JobDispose, sinks.JobConsent, sinks.JobAudit, sinks.JobTraining, sinks.JobHold, sinks.JobReplay, sinks.JobDrop, sinks.JobPolicy, sinks.JobReconcile, sinks.JobRequest, sinks.JobSubject, sinks.JobSweep, sinks.JobRectify, sinks.JobDisclose),
	reflect.TypeFor[sinks.Action](): words(sinks.ActionRun, sinks.ActionIngestSource,
		sinks.ActionAnonymise, sinks.ActionPublish, sinks.ActionExpireFields, sinks.ActionErasePartition, sinks.ActionEraseSubjects,
		sinks.ActionPurgeItem, sinks.ActionForgetItems, sinks.ActionForgetConsents, sinks.ActionDestroyKey, sinks.ActionRotateKey,
		sinks.ActionRecordConsent, sinks.ActionWithdraw, sinks.ActionDisposeSource, sinks.ActionMarkItems, sinks.ActionRestoreItem, sinks.ActionPlaceHold, sinks.ActionReleaseHold, sinks.ActionReplaySource, sinks.ActionDropRecords, sinks.ActionAdoptPolicy, sinks.ActionReconcile, sinks.ActionPurgeStray, sinks.ActionReceiveRequest, sinks.ActionAwaitIdentity, sinks.ActionAcceptRequest, sinks.ActionRefuseRequest, sinks.ActionExtendRequest, sinks.ActionCancelRequest, sinks.ActionAnswerRequest, sinks.ActionEnterErasure, sinks.ActionErasePeople, sinks.ActionDeleteExport, sinks.ActionRectifyRows, sinks.ActionActivatePolicy, sinks.ActionDisclose,
		sinks.ActionCloseYear, sinks.ActionOpenYear),
	reflect.TypeFor[sinks.Result](): words(sinks.ResultDone, sinks.ResultUnchanged,
		sinks.ResultPartial, sinks.ResultFailed, sinks.ResultAbandoned),
	reflect.TypeFor[sinks.Stage](): words(sinks.StageStored, sinks.StageStaged,
		sinks.StagePublished, sinks.StageVerified, sinks.StageHidden, sinks.StageRemoved,
		sinks.StageGone, sinks.StageVersionsGone, sinks.StageBackupsAged),
	reflect.TypeFor[sinks.Rule](): words(sinks.RuleEventTime, sinks.RuleAccountClosed,
		sinks.RuleLastActivity, sinks.RulePurposeCompleted, sinks.RuleConsentWithdrawn,
		sinks.RuleConsentAbsent, sinks.RuleQuarantined, sinks.RuleDecided, sinks.RuleIngested, sinks.RuleChildUnconfirmed, sinks.RuleErasure, sinks.RuleUploaded, sinks.RuleUnregistered),
	reflect.TypeFor[sinks.Count](): words(sinks.CountRead, sinks.CountStored,
		sinks.CountQuarantined, sinks.CountRefused, sinks.CountDuplicate,
		sinks.CountRefusedPurpose, sinks.CountRefusedConsent, sinks.CountRefusedAge,
		sinks.CountRefusedRegion, sinks.CountRefusedErased, sinks.CountRefusedLate, sinks.CountRefusedObject, sinks.CountBefore,
		sinks.CountAfter, sinks.CountSubjects, sinks.CountPublished, sinks.CountGeneralised,
		sinks.CountSuppressed, sinks.CountHeld, sinks.CountKeptLonger, sinks.CountLoss, sinks.CountObjects, sinks.CountDerivatives, sinks.CountBytes,
		sinks.CountStrays, sinks.CountMissing, sinks.CountDiffering, sinks.CountOrphans,
		sinks.CountSteps, sinks.CountFailed),
	reflect.TypeFor[sinks.ErrorClass](): words(sinks.ErrorUnavailable, sinks.ErrorInvalidInput,
		sinks.ErrorVerification, sinks.ErrorSuppression, sinks.ErrorConflict, sinks.ErrorRefused,
		sinks.ErrorSourceMissing, sinks.ErrorInterrupted, sinks.ErrorInternal),
}

// Actions returns the words for what an entry can be about, in lexical order.
func Actions() []string { return slices.Clone(vocabularies[reflect.TypeFor[sinks.Action]()]) }

// words returns a vocabulary in lexical order.
func words[T ~string](list ...T) []string {
	sorted := make([]string, len(list))
	for i, w := range list {
		sorted[i] = string(w)
	}
	slices.Sort(sorted)
	return sorted
}
