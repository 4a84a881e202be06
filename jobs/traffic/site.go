package traffic

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// route is a page of the website or, for those who are signed in, of the
// platform. Each # in its path is the id of something.
type route struct {
	path, name string
	weight     int
}

var publicRoutes = []route{
	{"/", "Home", 30}, {"/pricing", "Pricing", 12}, {"/product", "Product", 10}, {"/product/detection", "Face detection", 6},
	{"/product/recognition", "Face recognition", 6}, {"/product/expressions", "Expressions", 4}, {"/customers", "Customers", 4},
	{"/customers/#", "Customer story", 3}, {"/blog", "Blog", 8}, {"/blog/#", "Article", 12}, {"/docs", "Documentation", 7},
	{"/docs/api", "API reference", 6}, {"/docs/sdk", "SDK guide", 4}, {"/about", "About", 3}, {"/careers", "Careers", 3},
	{"/contact", "Contact", 4}, {"/legal/privacy", "Privacy policy", 2}, {"/legal/terms", "Terms", 1},
	{"/login", "Log in", 14}, {"/signup", "Sign up", 6}, {"/security", "Security", 2}, {"/status", "Status", 2},
}

var platformRoutes = []route{
	{"/dashboard", "Dashboard", 30}, {"/projects", "Projects", 18}, {"/projects/#", "Project", 26},
	{"/projects/#/images", "Images", 20}, {"/projects/#/images/#", "Image", 36}, {"/projects/#/videos", "Videos", 8},
	{"/projects/#/videos/#", "Video", 10}, {"/projects/#/faces", "Faces", 10}, {"/projects/#/faces/#", "Face", 10},
	{"/projects/#/upload", "Upload", 8}, {"/projects/#/members", "Members", 3}, {"/projects/#/settings", "Project settings", 2},
	{"/search", "Search", 14}, {"/search/results", "Search results", 14}, {"/watchlists", "Watchlists", 4},
	{"/watchlists/#", "Watchlist", 5}, {"/reports", "Reports", 7}, {"/reports/#", "Report", 9}, {"/exports", "Exports", 2},
	{"/jobs", "Jobs", 5}, {"/jobs/#", "Job", 6}, {"/cameras", "Cameras", 4}, {"/cameras/#/live", "Live view", 5},
	{"/team", "Team", 3}, {"/account", "Account", 4}, {"/account/billing", "Billing", 2}, {"/account/security", "Account security", 1},
	{"/account/notifications", "Notifications", 2}, {"/help", "Help", 3}, {"/help/articles/#", "Help article", 3},
}

var (
	publicWeights   = weigh(len(publicRoutes), func(i int) int { return publicRoutes[i].weight })
	platformWeights = weigh(len(platformRoutes), func(i int) int { return platformRoutes[i].weight })
)

const (
	publicSite = "https://www.example.com"
	platform   = "https://app.example.com"
)

var referrers = []string{
	"", "", "", "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/",
	"https://duckduckgo.com/", "https://partner.example.org/integrations", "https://news.example.org/ai/faces",
}

var searchTerms = []string{
	"entrance+north", "red+jacket", "2024", "watchlist+a", "camera+12", "badge", "unknown+faces", "group+photo", "low+light",
}

// page is where a visitor is; its slices are reused from page to page.
type page struct {
	url, path, search, referrer []byte
	title                       string
}

// open moves to a new page, from which the previous one becomes the referrer.
// who is nil for visitors without a lasting identity.
func (p *page) open(r *rand.Rand, signedIn bool, who *person) {
	p.referrer = append(p.referrer[:0], p.url...)
	if len(p.url) == 0 {
		p.referrer = append(p.referrer, pick(r, referrers)...)
	}
	site, to := publicSite, &publicRoutes[publicWeights.draw(r)]
	if signedIn {
		site, to = platform, &platformRoutes[platformWeights.draw(r)]
	}
	p.title = to.name
	p.path = appendPath(p.path[:0], r, to.path)
	p.search = appendSearch(p.search[:0], r, signedIn, who)
	p.url = append(append(append(p.url[:0], site...), p.path...), p.search...)
}

// leave forgets the page, as a new visit does.
func (p *page) leave() { p.url = p.url[:0] }

// appendPath replaces each # of pattern by an id.
func appendPath(b []byte, r *rand.Rand, pattern string) []byte {
	for {
		before, after, found := strings.Cut(pattern, "#")
		b = append(b, before...)
		if !found {
			return b
		}
		b = strconv.AppendInt(b, int64(between(r, 1_000, 89_999)), 10)
		pattern = after
	}
}

// appendSearch appends a query string or nothing. About one in fifty holds an
// e-mail address or a login token, as links in e-mails do.
func appendSearch(b []byte, r *rand.Rand, signedIn bool, who *person) []byte {
	draw := r.IntN(100)
	switch {
	case draw < 62:
		return b
	case draw < 63 && who != nil:
		who.named = true
		local, domain, _ := strings.Cut(who.email, "@")
		b = append(append(b, "?email="...), local...)
		return append(append(b, "%40"...), domain...)
	case draw < 64 && who != nil:
		who.named = true
		return append(append(b, "?token="...), who.token...)
	case draw < 75 && signedIn:
		return append(append(b, "?q="...), pick(r, searchTerms)...)
	case draw < 80 && !signedIn:
		return append(b, "?utm_source=newsletter&utm_medium=email"...)
	case draw < 92:
		return strconv.AppendInt(append(b, "?page="...), int64(between(r, 1, 12)), 10)
	default:
		return append(b, "?tab=recent&sort=date"...)
	}
}
