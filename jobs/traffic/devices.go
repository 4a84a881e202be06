package traffic

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// model is a kind of machine together with the software that reports from it.
type model struct {
	kind, manufacturer, name string
	os                       string
	osVersions               []string
	width, height            int
	mobile                   bool // carries mobile network details
	app                      bool // the platform's own app, which sends screens, not pages
	weight                   int
	agents                   []agent
}

// agent is a user agent with {v}, {model}, {os} or, for a version written with
// underscores, {os_} in it. first is the version when the period begins; the
// next one appears every release months.
type agent struct {
	pattern string
	first   int
	release int
}

const (
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36"
	macos   = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36"
	safari  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.{v} Safari/605.1.15"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS {os_} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.{v} Mobile/15E148 Safari/604.1"
	ipad    = "Mozilla/5.0 (iPad; CPU OS {os_} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.{v} Mobile/15E148 Safari/604.1"
	android = "Mozilla/5.0 (Linux; Android {os}; {model}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36"
)

var (
	windowsAgents = []agent{
		{windows, 120, 1}, {windows, 120, 1}, {windows + " Edg/{v}.0.0.0", 120, 1},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0", 121, 1}}
	macAgents = []agent{{macos, 120, 1}, {safari, 1, 3},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:{v}.0) Gecko/20100101 Firefox/{v}.0", 121, 1}}
	linuxAgents = []agent{
		{"Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0", 121, 1},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36", 120, 1}}
	androidAgents = []agent{{android, 120, 1}}
	iosApp        = []agent{{"FacesoftPlatform/4.{v} (iPhone; iOS {os}; Scale/3.00)", 2, 2}}
	androidApp    = []agent{{"FacesoftPlatform/4.{v} (Linux; Android {os}; {model})", 2, 2}}
)

var models = []model{
	{"desktop", "Dell", "Latitude 5440", "Windows", []string{"10", "11"}, 1920, 1080, false, false, 18, windowsAgents},
	{"desktop", "Lenovo", "ThinkPad T14", "Windows", []string{"10", "11"}, 1920, 1200, false, false, 16, windowsAgents},
	{"desktop", "HP", "EliteBook 840", "Windows", []string{"11"}, 1920, 1080, false, false, 10, windowsAgents},
	{"desktop", "Apple", "MacBook Pro", "macOS", []string{"13.6", "14.2", "14.5"}, 1728, 1117, false, false, 14, macAgents},
	{"desktop", "Apple", "iMac", "macOS", []string{"13.6", "14.2"}, 2240, 1260, false, false, 4, macAgents},
	{"desktop", "Lenovo", "ThinkStation P3", "Linux", []string{"6.5", "6.8"}, 2560, 1440, false, false, 4, linuxAgents},
	{"mobile", "Apple", "iPhone 14", "iOS", []string{"16.7", "17.2", "17.4"}, 390, 844, true, false, 7,
		[]agent{{iphone, 1, 3}}},
	{"mobile", "Samsung", "SM-S911B", "Android", []string{"13", "14"}, 360, 780, true, false, 6, androidAgents},
	{"mobile", "Google", "Pixel 8", "Android", []string{"14"}, 412, 915, true, false, 4, androidAgents},
	{"tablet", "Apple", "iPad Air", "iPadOS", []string{"16.7", "17.2"}, 820, 1180, true, false, 3, []agent{{ipad, 1, 3}}},
	{"mobile", "Apple", "iPhone 15", "iOS", []string{"17.2", "17.4"}, 393, 852, true, true, 8, iosApp},
	{"mobile", "Samsung", "SM-A546B", "Android", []string{"13", "14"}, 360, 780, true, true, 6, androidApp},
}

var modelWeights = weigh(len(models), func(i int) int { return models[i].weight })

// crawlers are the user agents of bots, some of which call themselves browsers.
var crawlers = []string{
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
	"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
	"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
	"Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
	"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36",
	"DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
	"python-requests/2.31.0",
}

var carriers = []string{"EE", "Vodafone", "O2", "Three", "Telekom", "Orange", "KPN"}

// device is one machine of one person. Its ids outlive its software versions.
type device struct {
	id, anonymous uuid
	model         *model
	agent         agent
	osVersion     string
	plugins       []string
	carrier       string
	wifi          bool
	lag           int // months by which its owner is behind with updates
	address       string

	month    int    // of the period, for which userAgent was last asked
	reported string // what it answered
	used     bool
}

func newDevice(r *rand.Rand, s seed, n uint64) device {
	m := &models[modelWeights.draw(r)]
	d := device{
		id: s.uuid(deviceIDs, n), anonymous: s.uuid(anonymousIDs, n), model: m,
		agent: pick(r, m.agents), osVersion: pick(r, m.osVersions), lag: r.IntN(3),
	}
	if m.mobile {
		d.carrier, d.wifi = pick(r, carriers), chance(r, 0.6)
	} else if first := r.IntN(2 * len(browsePlugins)); first < len(browsePlugins) {
		d.plugins = browsePlugins[first:min(first+1+r.IntN(2), len(browsePlugins))]
	}
	return d
}

// userAgent returns the device's user agent in the given month of the period.
func (d *device) userAgent(month int) string {
	if d.reported != "" && d.month == month {
		return d.reported
	}
	version := d.agent.first + max(month-d.lag, 0)/d.agent.release
	d.month = month
	d.reported = strings.NewReplacer(
		"{v}", strconv.Itoa(version), "{model}", d.model.name,
		"{os}", d.osVersion, "{os_}", strings.ReplaceAll(d.osVersion, ".", "_"),
	).Replace(d.agent.pattern)
	return d.reported
}
