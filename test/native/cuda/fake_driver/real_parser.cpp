// Note [Real parser]
// NVIDIA's parser is software: libnvcuvid's runs on any machine, without a GPU and without a
// driver. Behind the fake decoder it decides what is decoded and shown, as it does on a GPU
// machine, and libavcodec provides the pictures. Which packet a picture is of is found out here by
// its bytes, so that nothing that is tested has a say in it; only AV1's surfaces go by the
// timestamp with which they are shown, for a packet may show what another one decoded. The library
// is NVIDIA's, and no part of this project: CPS_NVCUVID names one (scripts/nvcuvid.mjs fetches it
// where it can).

#include <dlfcn.h>

#include <cstdio>
#include <map>
#include <utility>

#include "cuda/fake_driver/fake_driver.h"
#include "cuda/fake_driver/parsers.h"

namespace fake {
namespace {

struct Library {
  tcuvidCreateVideoParser* create = nullptr;
  tcuvidParseVideoData* parse = nullptr;
  tcuvidDestroyVideoParser* destroy = nullptr;
};

// Opened once and kept: it does not expect to be unloaded.
const Library& load(const std::string& path) {
  static const Library library = [&] {
    Library found;
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      misuse(path + " could not be opened");
      return found;
    }
    found.create =
        reinterpret_cast<tcuvidCreateVideoParser*>(dlsym(handle, "cuvidCreateVideoParser"));
    found.parse = reinterpret_cast<tcuvidParseVideoData*>(dlsym(handle, "cuvidParseVideoData"));
    found.destroy =
        reinterpret_cast<tcuvidDestroyVideoParser*>(dlsym(handle, "cuvidDestroyVideoParser"));
    return found;
  }();
  return library;
}

class RealParser final : public Parser {
 public:
  RealParser(const CUVIDPARSERPARAMS& params, const Library& library)
      : params_(params),
        library_(library),
        bank_(std::make_shared<PictureBank>(codecId(params.CodecType), 0)) {
    CUVIDPARSERPARAMS mine = params;
    mine.pUserData = this;
    mine.pfnSequenceCallback = [](void* self, CUVIDEOFORMAT* format) {
      const CUVIDPARSERPARAMS& theirs = static_cast<RealParser*>(self)->params_;
      return theirs.pfnSequenceCallback(theirs.pUserData, format);
    };
    mine.pfnDecodePicture = [](void* self, CUVIDPICPARAMS* picture) {
      return static_cast<RealParser*>(self)->decode(*picture);
    };
    mine.pfnDisplayPicture = [](void* self, CUVIDPARSERDISPINFO* info) {
      return static_cast<RealParser*>(self)->display(info);
    };
    status_ = library.create(&parser_, &mine);
  }
  ~RealParser() override {
    if (parser_ != nullptr) library_.destroy(parser_);
  }
  bool good() const { return status_ == CUDA_SUCCESS; }

  CUresult parse(const CUVIDSOURCEDATAPACKET& data) override {
    if (control().seesNothing) return CUDA_SUCCESS;
    const std::string bytes(reinterpret_cast<const char*>(data.payload), data.payload_size);
    const bool headers = (data.flags & (CUVID_PKT_TIMESTAMP | CUVID_PKT_ENDOFPICTURE)) == 0;
    if (headers) {
      headers_ += bytes;
    } else if (!bytes.empty()) {
      const int packet = bank_->feed(std::exchange(headers_, {}) + bytes);
      if (data.flags & CUVID_PKT_TIMESTAMP) packetOf_[data.timestamp] = packet;
    }
    CUVIDSOURCEDATAPACKET copy = data;
    return library_.parse(parser_, &copy);
  }

 private:
  // The packet that the picture's bytes are from, of the last ones; -1: none.
  int packetWith(const CUVIDPICPARAMS& picture) const {
    const std::string bits(reinterpret_cast<const char*>(picture.pBitstreamData),
                           picture.nBitstreamDataLen);
    // From its middle: starts are alike. Padding at the end may be the parser's.
    const std::string probe = bits.size() <= 64 ? bits.substr(0, bits.find_last_not_of('\0') + 1)
                                                : bits.substr(bits.size() / 2, 48);
    const int last = bank_->packets() - 1;
    for (int packet = std::max(0, std::max(last - 1, lastPacket_)); packet <= last; packet++) {
      if (bank_->bytes(packet).find(probe) != std::string::npos) return packet;
    }
    return -1;
  }

  int decode(CUVIDPICPARAMS& picture) {
    const int packet = packetWith(picture);
    if (packet < 0) misuse("the real parser decodes what no packet holds");
    if (packet >= 0 && packet != bank_->packets() - 1) count(stats().lateDecodes);
    lastPacket_ = packet;
    count(stats().parsedPictures);
    if (control().onDecode) control().onDecode(static_cast<int>(stats().pictures));
    if (picture.second_field == 0) packets_[picture.CurrPicIdx] = packet;
    const WithOrigin origin({bank_, packet});
    return params_.pfnDecodePicture(params_.pUserData, &picture);
  }

  int display(CUVIDPARSERDISPINFO* info) {
    if (info == nullptr) return params_.pfnDisplayPicture(params_.pUserData, info);
    const auto timed = packetOf_.find(info->timestamp);
    int packet = packets_[info->picture_index];
    if (params_.CodecType == cudaVideoCodec_AV1 && timed != packetOf_.end()) packet = timed->second;
    count(stats().displayed);
    if (timed != packetOf_.end() && timed->second != packet) count(stats().shiftedTimes);
    const WithOrigin origin({bank_, packet});
    return params_.pfnDisplayPicture(params_.pUserData, info);
  }

  CUVIDPARSERPARAMS params_;
  const Library& library_;
  std::shared_ptr<PictureBank> bank_;
  CUvideoparser parser_ = nullptr;
  CUresult status_ = CUDA_SUCCESS;
  std::string headers_;
  std::map<int64_t, int> packetOf_;  // by timestamp
  std::map<int, int> packets_;       // by surface
  int lastPacket_ = 0;
};

}  // namespace

std::unique_ptr<Parser> makeRealParser(const CUVIDPARSERPARAMS& params,
                                       const std::string& library) {
  const Library& real = load(library);
  if (real.create == nullptr || real.parse == nullptr || real.destroy == nullptr) return nullptr;
  auto parser = std::make_unique<RealParser>(params, real);
  return parser->good() ? std::move(parser) : nullptr;
}

}  // namespace fake
