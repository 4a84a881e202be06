package traffic

import (
	"math/rand/v2"
	"strings"
)

// action is something a visitor does on a page, sent as a track call.
type action struct {
	name   string
	weight int
	append func(b []byte, r *rand.Rand, s *session) []byte
}

// actions of people who are signed in. The last three carry what somebody
// typed.
var actions = []action{
	{"Image Uploaded", 260, appendUpload},
	{"Search Performed", 220, appendSearchResult},
	{"Image Viewed", 200, appendInteraction},
	{"Faces Compared", 110, appendDuration},
	{"Video Processed", 90, appendVideo},
	{"Report Downloaded", 90, appendDownload},
	{"Link Followed", 80, appendInteraction},
	{"Project Opened", 70, appendDuration},
	{"Export Requested", 25, appendDownload},
	{"Settings Changed", 20, appendInteraction},
	{"Signed Out", 40, appendDuration},
	{"Invite Sent", 12, appendInteraction},
	{"Survey Completed", 5, appendSurvey},
	{"Feedback Given", 6, appendFeedback},
	{"Enquiry Submitted", 3, appendEnquiry},
}

// publicActions are those of visitors who are not signed in.
var publicActions = []action{
	{"Link Followed", 60, appendInteraction},
	{"Demo Watched", 25, appendVideo},
	{"Brochure Downloaded", 20, appendDownload},
	{"Search Performed", 15, appendSearchResult},
	{"Form Started", 10, appendInteraction},
	{"Enquiry Submitted", 2, appendEnquiry},
}

var (
	actionWeights       = weigh(len(actions), func(i int) int { return actions[i].weight })
	publicActionWeights = weigh(len(publicActions), func(i int) int { return publicActions[i].weight })
)

var (
	exits   = []string{"link", "link", "link", "link", "back", "back", "close", "timeout", "external"}
	formats = []string{"image/jpeg", "image/jpeg", "image/png", "video/mp4"}
	reports = []string{"weekly", "monthly", "incident", "audit"}
	surveys = []string{"onboarding", "quarterly", "support"}
	topics  = []string{"pricing", "support", "privacy", "partnership"}
)

// answers hold {name} and {email} where people signed or gave an address.
var answers = []string{
	"Works well for us so far.",
	"Search is slow on large projects, otherwise fine.",
	"Could you call me back? {name}",
	"The \"export\" button does nothing in my browser.",
	"Please write to {email}, the office line is not manned.",
	"Great support last week.\nThanks, {name}",
	"We would like to move 40 cameras over; who do we talk to?",
	"My colleague cannot log in any more, her account is linked to {email}.",
	"Pas mal, mais la page d'accueil est lente à charger.",
	"Bitte löschen Sie das Probekonto von {name} ({email}).",
	"Not sure what the score means \\ how it is computed.",
	"Happy with the results, 👍 from the whole team",
}

// milliseconds returns a duration with a long tail, between low and 64 times low.
func milliseconds(r *rand.Rand, low int) int {
	span := low << r.IntN(6)
	return span + r.IntN(span)
}

// appendView is what a browser reports about a visit to one page.
func appendView(b []byte, r *rand.Rand, s *session) []byte {
	if !s.light {
		b = appendBytes(b, "path", s.page.path)
	}
	visit := milliseconds(r, 900)
	b = appendNumber(b, "duration_ms", visit+r.IntN(400))
	b = appendNumber(b, "response_ms", milliseconds(r, 35))
	b = appendNumber(b, "visit_ms", visit)
	b = appendNumber(b, "scroll_depth", r.IntN(101))
	b = appendNumber(b, "clicks", r.IntN(1+visit/1500))
	b = appendNumber(b, "mouse_overs", r.IntN(2+visit/700))
	return appendText(b, "exit", pick(r, exits))
}

// appendScreen is what the app reports about a screen.
func appendScreen(b []byte, r *rand.Rand, s *session) []byte {
	b = appendNumber(b, "duration_ms", milliseconds(r, 700))
	b = appendNumber(b, "response_ms", milliseconds(r, 60))
	b = appendNumber(b, "clicks", r.IntN(12))
	return appendText(b, "exit", pick(r, exits))
}

func appendDuration(b []byte, r *rand.Rand, s *session) []byte {
	b = appendNumber(b, "duration_ms", milliseconds(r, 120))
	return appendNumber(b, "project", between(r, 1_000, 89_999))
}

func appendInteraction(b []byte, r *rand.Rand, s *session) []byte {
	b = appendNumber(b, "duration_ms", milliseconds(r, 80))
	b = appendNumber(b, "clicks", between(r, 1, 6))
	return appendNumber(b, "mouse_overs", r.IntN(30))
}

func appendUpload(b []byte, r *rand.Rand, s *session) []byte {
	b = appendNumber(b, "duration_ms", milliseconds(r, 200))
	b = appendNumber(b, "image", between(r, 1_000, 89_999))
	b = appendNumber(b, "bytes", between(r, 40_000, 6_000_000))
	return appendText(b, "media_type", pick(r, formats))
}

func appendSearchResult(b []byte, r *rand.Rand, s *session) []byte {
	b = appendText(b, "query", pick(r, searchTerms))
	b = appendNumber(b, "results", r.IntN(500))
	b = appendNumber(b, "response_ms", milliseconds(r, 50))
	return appendNumber(b, "duration_ms", milliseconds(r, 60))
}

func appendDownload(b []byte, r *rand.Rand, s *session) []byte {
	b = appendText(b, "report", pick(r, reports))
	b = appendNumber(b, "duration_ms", milliseconds(r, 150))
	return appendBool(b, "download_error", r.IntN(40) == 0)
}

func appendVideo(b []byte, r *rand.Rand, s *session) []byte {
	b = appendNumber(b, "duration_ms", milliseconds(r, 2_000))
	b = appendNumber(b, "frames", between(r, 100, 30_000))
	return appendBool(b, "download_error", r.IntN(60) == 0)
}

func appendSurvey(b []byte, r *rand.Rand, s *session) []byte {
	b = appendText(b, "survey", pick(r, surveys))
	b = appendNumber(b, "score", r.IntN(11))
	return appendEscaped(b, "answer", typed(r, s.person))
}

func appendFeedback(b []byte, r *rand.Rand, s *session) []byte {
	b = appendNumber(b, "rating", between(r, 1, 5))
	return appendEscaped(b, "comment", typed(r, s.person))
}

func appendEnquiry(b []byte, r *rand.Rand, s *session) []byte {
	b = appendText(b, "topic", pick(r, topics))
	return appendEscaped(b, "message", typed(r, s.person))
}

// typed returns a free text, which visitors without an identity leave unsigned.
func typed(r *rand.Rand, who *person) string {
	if who == nil {
		return answers[0]
	}
	who.named = true
	return strings.NewReplacer("{name}", who.name, "{email}", who.email).Replace(pick(r, answers))
}

// appendTraits is what an identify call says of a person. Now and then they
// change their mind about marketing.
func appendTraits(b []byte, r *rand.Rand, who *person) []byte {
	if r.IntN(50) == 0 {
		who.marketing = !who.marketing
	}
	b = appendText(b, "name", who.name)
	b = appendText(b, "email", who.email)
	b = appendText(b, "username", who.username)
	b = appendText(b, "phone", who.phone)
	b = appendBool(b, "marketing", who.marketing)
	return appendText(b, "plan", who.plan)
}

func appendGroup(b []byte, of *organisation) []byte {
	b = appendText(b, "groupId", of.id)
	b = beginObject(b, "traits")
	b = appendText(b, "name", of.name)
	b = appendText(b, "industry", of.industry)
	return endObject(appendNumber(b, "employees", of.employees))
}
