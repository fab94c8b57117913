// Runs the hostile corpus against the core, without Node. Made of the fixtures (CPS_FIXTURES) by
// rule; nothing is stored. `--help` lists the options.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "reliability/hostile/run.h"

namespace {

using namespace hostile;
using Clock = std::chrono::steady_clock;

struct Arguments {
  int64_t perClip = 0;     // cases of each clip; 0: all
  double seconds = 1e9;    // stop after this long
  std::string clip, name;  // only these (substrings)
  std::string save;        // write the broken file here, for a report
  uint64_t seed = 1;
  size_t part = 0, parts = 1;  // every parts-th clip, from this one on: for several processes
};

constexpr const char* kHelp =
    "hostile_corpus [--per-clip N] [--seconds S] [--seed N] [--clip NAME] [--case 'NAME|NAME']\n"
    "               [--part I/N] [--save FILE]\n"
    "Needs CPS_FIXTURES. Without options: every case of every clip.\n";

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (key == "--per-clip")
      a.perClip = std::atoll(value);
    else if (key == "--seconds")
      a.seconds = std::atof(value);
    else if (key == "--seed")
      a.seed = std::strtoull(value, nullptr, 10);
    else if (key == "--clip")
      a.clip = value;
    else if (key == "--case")
      a.name = value;
    else if (key == "--save")
      a.save = value;
    else if (key != "--part" || std::sscanf(value, "%zu/%zu", &a.part, &a.parts) != 2 ||
             a.part >= a.parts) {
      std::fputs(kHelp, stderr);
      std::exit(key == "--help" ? 0 : 2);
    }
  }
  return a;
}

// `names`: parts of labels, with '|' between them; empty: all.
bool isWanted(const std::string& label, const std::string& names) {
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, '|');) {
    if (label.find(name) != std::string::npos) return true;
  }
  return names.empty();
}

// A case may take no longer than this, whatever the sanitizer costs.
constexpr int kHangSeconds = 90;
std::atomic<int64_t> g_beat{0};

void onCrash(int signal) {
  // Only what is safe in a handler.
  const char* name = currentCase();
  const char text[] = "\nCRASH in case ";
  (void)!::write(2, text, sizeof(text) - 1);
  (void)!::write(2, name, std::strlen(name));
  (void)!::write(2, "\n", 1);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void startWatchdog() {
  std::thread([] {
    int64_t last = -1;
    for (int same = 0;; std::this_thread::sleep_for(std::chrono::seconds(1))) {
      const int64_t now = g_beat.load();
      same = now == last ? same + 1 : 0;
      last = now;
      if (same > kHangSeconds) {
        std::fprintf(stderr, "HANG in case %s\n", currentCase());
        std::abort();
      }
    }
  }).detach();
}

std::vector<std::string> clipNames(const std::string& folder) {
  std::ifstream manifest(folder + "/manifest.tsv");
  std::vector<std::string> names;
  for (std::string line; std::getline(manifest, line);) {
    const size_t tab = line.find('\t');
    const std::string features = "," + line.substr(tab + 1) + ",";
    if (tab != std::string::npos && features.find(",bad,") == std::string::npos) {
      names.push_back(line.substr(0, tab));
    }
  }
  return names;
}

// Playlists and manifests that name a video beside them, pipes, devices, folders, loops, odd names.
void runFiles(Runner& runner, const std::string& folder, const Arguments& arguments) {
  char pattern[] = "/tmp/cps-hostile-XXXXXX";
  const std::string dir = ::mkdtemp(pattern);
  const Bytes video = readFile(folder + "/h264_bpyramid.mp4");
  writeFile(dir + "/other.mp4", video);
  writeFile(dir + "/img0001.jpg", Bytes{0xff, 0xd8, 0xff, 0xe0});
  const auto text = [&](const std::string& name, const std::string& content) {
    writeFile(dir + "/" + name, Bytes(content.begin(), content.end()));
  };
  const std::string other = dir + "/other.mp4";
  const auto run = [&](const std::string& name, bool mayDecode) {
    g_beat++;
    const std::string label = "files: " + name;
    if (!isWanted(label, arguments.name)) return;
    runner.runPath(dir + "/" + name, label, mayDecode);
  };
  const std::vector<std::pair<std::string, std::string>> playlists = {
      {"list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nother.mp4\n#EXT-X-ENDLIST\n"},
      {"list.mp4",
       "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n" + other + "\n"},
      {"net.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n"},
      {"key.m3u8",
       "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"/etc/"
       "passwd\"\n#EXTINF:4,\n" +
           other + "\n"},
      {"list.ffconcat", "ffconcat version 1.0\nfile other.mp4\n"},
      {"concat.mp4", "ffconcat version 1.0\nfile '" + other + "'\nfile '/etc/passwd'\n"},
      {"manifest.mpd",
       "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\">"
       "<Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\">"
       "<BaseURL>other.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>"},
      {"dash.mp4",
       "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\">"
       "<Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\">"
       "<BaseURL>http://127.0.0.1:9/</BaseURL></Representation></AdaptationSet></Period></MPD>"},
      {"stream.sdp",
       "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
       "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"},
      {"sdp.mp4",
       "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
       "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"},
      {"list.txt", "file other.mp4\n"},
      {"asx.mp4", "<asx version=\"3.0\"><entry><ref href=\"" + other + "\"/></entry></asx>"},
      {"vbscript.avs", "FFVideoSource(\"" + other + "\")\n"},
      {"filter.mp4", "movie=" + other + "\n"},
      {"smooth.ism", "<?xml version=\"1.0\"?><SmoothStreamingMedia MajorVersion=\"2\"/>"}};
  for (const auto& [name, content] : playlists) {
    text(name, content);
    run(name, false);
  }
  // The pattern of an image sequence, with a file that it would match: a name like any other.
  run("img%04d.jpg", false);
  ::mkfifo((dir + "/pipe.mp4").c_str(), 0600);
  run("pipe.mp4", false);
  ::mkdir((dir + "/folder.mp4").c_str(), 0700);
  run("folder.mp4", false);
  (void)!::symlink("loop_b.mp4", (dir + "/loop_a.mp4").c_str());
  (void)!::symlink("loop_a.mp4", (dir + "/loop_b.mp4").c_str());
  run("loop_a.mp4", false);
  (void)!::symlink("nowhere.mp4", (dir + "/dangling.mp4").c_str());
  run("dangling.mp4", false);
  (void)!::symlink("/dev/zero", (dir + "/zero.mp4").c_str());
  run("zero.mp4", false);
  (void)!::symlink("/dev/null", (dir + "/null.mp4").c_str());
  run("null.mp4", false);
  run("missing.mp4", false);
  run("other.mp4/inside.mp4", false);
  run(std::string(300, 'x') + ".mp4", false);
  text("empty.mp4", "");
  run("empty.mp4", false);
  for (const char* odd :
       {"with space.mp4", "umlaut-\xc3\xa4-\xe8\xa7\x86\xe9\xa2\x91.mp4", "img%d.mp4", "%s%n.mp4",
        "a*b?.mp4", "-i.mp4", "file:colon.mp4", "http:x.mp4", "concat:a|b.mp4", "pipe:0",
        "quote'\".mp4", "line\nbreak.mp4", "\xff\xfe.mp4", "no_extension"}) {
    writeFile(dir + "/" + odd, video);
    run(odd, true);
  }
  (void)!::symlink("other.mp4", (dir + "/link.mp4").c_str());
  run("link.mp4", true);
  std::system(("rm -rf " + dir).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const char* folder = std::getenv("CPS_FIXTURES");
  if (folder == nullptr) {
    std::fputs("set CPS_FIXTURES to the folder that scripts/fixtures.mjs fills\n", stderr);
    return 2;
  }
#if !defined(__SANITIZE_ADDRESS__)
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) ::signal(signal, onCrash);
#endif
  startWatchdog();
  const auto started = Clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(Clock::now() - started).count();
  };
  Runner runner;
  runFiles(runner, folder, arguments);
  const Bytes other = readFile(std::string(folder) + "/small.mp4");
  int64_t clips = 0, skipped = 0;
  std::vector<std::string> names = clipNames(folder);
  for (size_t i = names.size(); i > 1; --i) {
    std::swap(names[i - 1], names[mix(arguments.seed + i) % i]);
  }
  for (size_t at = arguments.part; at < names.size(); at += arguments.parts) {
    const std::string& clipName = names[at];
    if (clipName.find(arguments.clip) == std::string::npos) continue;
    if (elapsed() > arguments.seconds) {
      ++skipped;
      continue;
    }
    ++clips;
    g_beat++;
    Clip clip{clipName, readFile(std::string(folder) + "/" + clipName), {}};
    clip.reference = decodeReference(clip.bytes, 100'000, 60);
    std::vector<Mutation> mutations = byteMutations(clip.bytes);
    for (const auto& more : {packetMutations(clip.bytes, other), strangers()}) {
      mutations.insert(mutations.end(), more.begin(), more.end());
    }
    // Another choice with every seed; the same choice with the same one.
    for (size_t i = mutations.size(); i > 1 && arguments.perClip > 0; --i) {
      std::swap(mutations[i - 1], mutations[mix(arguments.seed * 31 + i) % i]);
    }
    if (arguments.perClip == 0) {
      std::fprintf(stderr, "%.0f s: %s, %zu cases\n", elapsed(), clipName.c_str(),
                   mutations.size());
    }
    int64_t done = 0;
    for (const Mutation& mutation : mutations) {
      const std::string label = clipName + ": " + mutation.name;
      if (!isWanted(label, arguments.name)) continue;
      if ((arguments.perClip > 0 && ++done > arguments.perClip) || elapsed() > arguments.seconds) {
        break;
      }
      g_beat++;
      const Bytes broken = mutation.make();
      if (broken.empty() && mutation.name.rfind("mux-", 0) == 0) continue;  // no such file
      if (!arguments.save.empty()) writeFile(arguments.save, broken);
      runner.runBytes(clip, label, broken);
    }
  }
  const Tally& t = runner.tally();
  std::printf(
      "hostile corpus: %lld cases of %lld clips in %.0f s (%lld clips left out): %lld refused, "
      "%lld "
      "decoded, %lld frames compared (%lld changed by damage that decoding cannot show, %lld of "
      "pictures that the file lacks references for), %lld violations\nslowest: %.0f ms, "
      "%s\nlargest: %lld MiB, %s\n",
      static_cast<long long>(t.cases), static_cast<long long>(clips), elapsed(),
      static_cast<long long>(skipped), static_cast<long long>(t.rejected),
      static_cast<long long>(t.decoded), static_cast<long long>(t.framesGiven),
      static_cast<long long>(t.framesChanged), static_cast<long long>(t.framesUnreferenced),
      static_cast<long long>(t.violations), t.slowestMs, t.slowest.c_str(),
      static_cast<long long>(t.largestGrowth >> 20), t.largest.c_str());
  return t.violations > 0 ? 1 : 0;
}
