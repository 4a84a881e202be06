package traffic

// name is a part of a person's name as written and as spelt in an e-mail
// address.
type name struct{ written, ascii string }

var firstNames = []name{
	{"Aoife", "aoife"}, {"Amelia", "amelia"}, {"Anders", "anders"}, {"Anna", "anna"}, {"Arjun", "arjun"},
	{"Bram", "bram"}, {"Camille", "camille"}, {"Chiara", "chiara"}, {"Daan", "daan"}, {"Dominik", "dominik"},
	{"Eilidh", "eilidh"}, {"Elif", "elif"}, {"Emeka", "emeka"}, {"Farah", "farah"}, {"Finn", "finn"},
	{"Françoise", "francoise"}, {"George", "george"}, {"Greta", "greta"}, {"Hannah", "hannah"}, {"Hugo", "hugo"},
	{"Ines", "ines"}, {"Isla", "isla"}, {"Jürgen", "juergen"}, {"Jasmine", "jasmine"}, {"Katja", "katja"},
	{"Kwame", "kwame"}, {"Lars", "lars"}, {"Leila", "leila"}, {"Łukasz", "lukasz"}, {"Maeve", "maeve"},
	{"Mateo", "mateo"}, {"Mei", "mei"}, {"Niamh", "niamh"}, {"Noor", "noor"}, {"Oliver", "oliver"},
	{"Padraig", "padraig"}, {"Priya", "priya"}, {"Rosa", "rosa"}, {"Ruben", "ruben"}, {"Siân", "sian"},
	{"Sofia", "sofia"}, {"Sven", "sven"}, {"Tariq", "tariq"}, {"Théo", "theo"}, {"Una", "una"},
	{"Viktor", "viktor"}, {"Wanjiru", "wanjiru"}, {"Yusuf", "yusuf"}, {"Zoë", "zoe"}, {"Zuzanna", "zuzanna"},
}

var lastNames = []name{
	{"Abara", "abara"}, {"Ahlström", "ahlstroem"}, {"Albrecht", "albrecht"}, {"Bakker", "bakker"}, {"Barnes", "barnes"},
	{"Baumann", "baumann"}, {"Bennett", "bennett"}, {"Björk", "bjoerk"}, {"Brennan", "brennan"}, {"Carvalho", "carvalho"},
	{"Chaudhry", "chaudhry"}, {"Clarke", "clarke"}, {"de Wit", "dewit"}, {"Delacroix", "delacroix"}, {"Doyle", "doyle"},
	{"Dubois", "dubois"}, {"Evans", "evans"}, {"Fitzgerald", "fitzgerald"}, {"Fontaine", "fontaine"}, {"Gallagher", "gallagher"},
	{"Giménez", "gimenez"}, {"Großmann", "grossmann"}, {"Hughes", "hughes"}, {"Iyer", "iyer"}, {"Jansen", "jansen"},
	{"Kowalska", "kowalska"}, {"Lefèvre", "lefevre"}, {"Lindqvist", "lindqvist"}, {"MacLeod", "macleod"}, {"Marchetti", "marchetti"},
	{"Mensah", "mensah"}, {"Meyer", "meyer"}, {"Moreau", "moreau"}, {"Müller", "mueller"}, {"Murphy", "murphy"},
	{"Novak", "novak"}, {"O'Connor", "oconnor"}, {"Okafor", "okafor"}, {"Patel", "patel"}, {"Pereira", "pereira"},
	{"Quinn", "quinn"}, {"Richter", "richter"}, {"Rossi", "rossi"}, {"Schäfer", "schaefer"}, {"Sørensen", "soerensen"},
	{"Taylor", "taylor"}, {"van Dijk", "vandijk"}, {"Visser", "visser"}, {"Wright", "wright"}, {"Zimmermann", "zimmermann"},
}

// country is where a person lives; its phone prefix comes from a range that the
// country's regulator keeps free for fiction, or from the British one.
type country struct {
	code, locale, timezone string
	weight                 int
	phone                  string
	phoneDigits            int
	places                 []place
}

type place struct{ region, city string }

var countries = []country{
	{"GB", "en-GB", "Europe/London", 45, "+447700900", 3, []place{
		{"ENG", "London"}, {"ENG", "London"}, {"ENG", "Manchester"}, {"ENG", "Leeds"}, {"SCT", "Edinburgh"}, {"WLS", "Cardiff"}}},
	{"DE", "de-DE", "Europe/Berlin", 17, "+493023125", 3, []place{
		{"BE", "Berlin"}, {"BY", "Munich"}, {"HH", "Hamburg"}, {"NW", "Cologne"}}},
	{"FR", "fr-FR", "Europe/Paris", 12, "+3363998", 4, []place{{"IDF", "Paris"}, {"ARA", "Lyon"}, {"OCC", "Toulouse"}}},
	{"IE", "en-IE", "Europe/Dublin", 8, "+3532091", 5, []place{{"L", "Dublin"}, {"M", "Cork"}, {"C", "Galway"}}},
	{"NL", "nl-NL", "Europe/Amsterdam", 8, "+441632960", 3, []place{{"NH", "Amsterdam"}, {"ZH", "Rotterdam"}}},
	{"SE", "sv-SE", "Europe/Stockholm", 3, "+441632960", 3, []place{{"AB", "Stockholm"}, {"O", "Gothenburg"}}},
	{"ES", "es-ES", "Europe/Madrid", 3, "+441632960", 3, []place{{"MD", "Madrid"}, {"CT", "Barcelona"}}},
	{"PL", "pl-PL", "Europe/Warsaw", 2, "+441632960", 3, []place{{"14", "Warsaw"}, {"12", "Krakow"}}},
	{"US", "en-US", "America/New_York", 2, "+441632960", 3, []place{{"NY", "New York"}, {"MA", "Boston"}}},
}

var countryWeights = weigh(len(countries), func(i int) int { return countries[i].weight })

var (
	industries    = []string{"Retail", "Insurance", "Media", "Security", "Banking", "Transport", "Health", "Research"}
	companyNames  = []string{"Alder", "Beacon", "Cobalt", "Dover", "Ember", "Falcon", "Granite", "Harbour", "Indigo", "Juniper"}
	companyKinds  = []string{"Analytics", "Group", "Labs", "Logistics", "Partners", "Security", "Studios", "Systems"}
	plans         = []string{"trial", "team", "team", "business", "enterprise"}
	browsePlugins = []string{"PDF Viewer 1.3", "Chrome PDF Viewer 1.0", "Native Client 1.2", "Widevine CDM 4.10", "QuickTime 7.7", "Silverlight 5.1"}
)
