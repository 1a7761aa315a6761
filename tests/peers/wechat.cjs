// WeChat's envelope by two libraries not written here: the npm packages `wechat-crypto` (JackLi) and
// `@wecom/crypto` (Tencent). Answers one JSON line for each on stdin.
//   {"do": "seal", "lib", "token", "key", "id", "message", "timestamp", "nonce"} -> {"encrypt", "signature"}
//   {"do": "open", "lib", "token", "key", "id", "encrypt", "timestamp", "nonce"} -> {"message", "id", "signature"}
// With the argument `vectors` it writes one push of every kind in every mode and form instead; the
// members are those of the documentation's samples (developers.weixin.qq.com, "接收普通消息",
// "接收事件推送", "订阅通知").
"use strict";
process.noDeprecation = true; // wechat-crypto is older than Buffer.from
const readline = require("node:readline");
const WXBizMsgCrypt = require("wechat-crypto");
const wecom = require("@wecom/crypto");

function seal(lib, token, key, id, message, timestamp, nonce) {
  const crypt = new WXBizMsgCrypt(token, key, id);
  const encrypt = lib === "wecom" ? wecom.encrypt(key, message, id) : crypt.encrypt(message);
  const sign = lib === "wecom" ? wecom.getSignature.bind(null, token) : crypt.getSignature.bind(crypt);
  return { encrypt, signature: sign(timestamp, nonce, encrypt) };
}

function open(lib, token, key, id, encrypt, timestamp, nonce) {
  const crypt = new WXBizMsgCrypt(token, key, id);
  const found = lib === "wecom" ? wecom.decrypt(key, encrypt) : crypt.decrypt(encrypt);
  const sign = lib === "wecom" ? wecom.getSignature.bind(null, token) : crypt.getSignature.bind(crypt);
  return { message: found.message, id: found.id, signature: sign(timestamp, nonce, encrypt) };
}

function answer(q) {
  return q.do === "seal"
    ? seal(q.lib, q.token, q.key, q.id, q.message, q.timestamp, q.nonce)
    : open(q.lib, q.token, q.key, q.id, q.encrypt, q.timestamp, q.nonce);
}

const TOKEN = "a-token-of-the-tests";
const KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const ID = "wx5823bf96d3bd56c7";
const TIMESTAMP = "1795312800"; // 2026-11-22T02:00:00Z
const message = (type, id, more) => ({
  ToUserName: "toUser", FromUserName: "fromUser", CreateTime: 1795312799, MsgType: type, ...more, MsgId: id,
});
const event = (name, more) => ({
  ToUserName: "toUser", FromUserName: "fromUser", CreateTime: 1795312799, MsgType: "event", Event: name, ...more,
});
const SAMPLES = {
  text: message("text", 23456789012345678, { Content: "  路灯不亮😱 <b>&amp;</b>\n请修 ]]> 谢谢  " }),
  image: message("image", 1234567890123456, { PicUrl: "http://mmbiz.qpic.cn/p/0", MediaId: "media_id" }),
  voice: message("voice", 1234567890123457, { MediaId: "media_id", Format: "amr" }),
  recognized: message("voice", 1234567890123458, {
    MediaId: "media_id", Format: "amr", Recognition: "小区停水两天了", MediaId16K: "media_id_16k",
  }),
  video: message("video", 1234567890123459, { MediaId: "media_id", ThumbMediaId: "thumb_media_id" }),
  shortvideo: message("shortvideo", 1234567890123460, { MediaId: "media_id", ThumbMediaId: "thumb_media_id" }),
  location: message("location", 1234567890123461, {
    Location_X: "23.134521", Location_Y: "113.358803", Scale: 20, Label: "位置信息",
  }),
  link: message("link", 1234567890123462, {
    Title: "公众平台官网链接", Description: "公众平台官网链接", Url: "https://example.org/1?a=1&b=2",
  }),
  card: message("miniprogrampage", 1234567890123463, {
    Title: "Title", AppId: "AppId", PagePath: "PagePath", ThumbUrl: "ThumbUrl", ThumbMediaId: "ThumbMediaId",
  }),
  subscribe: event("subscribe", {}),
  subscribe_scan: event("subscribe", { EventKey: "qrscene_123123", Ticket: "TICKET" }),
  unsubscribe: event("unsubscribe", {}),
  scan: event("SCAN", { EventKey: "SCENE_VALUE", Ticket: "TICKET" }),
  located: event("LOCATION", { Latitude: "23.137466", Longitude: "113.352425", Precision: "119.385040" }),
  click: event("CLICK", { EventKey: "progress" }),
  view: event("VIEW", { EventKey: "https://example.org" }),
  template: event("TEMPLATESENDJOBFINISH", { MsgID: 200163836, Status: "success" }),
  popup: event("subscribe_msg_popup_event", {
    SubscribeMsgPopupEvent: {
      List: { TemplateId: "VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3", SubscribeStatusString: "accept", PopupScene: "2" },
    },
  }),
  changed: event("subscribe_msg_change_event", {
    SubscribeMsgChangeEvent: { List: { TemplateId: "VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3", SubscribeStatusString: "reject" } },
  }),
  sent: event("subscribe_msg_sent_event", {
    SubscribeMsgSentEvent: {
      List: {
        TemplateId: "VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3", MsgID: "1700827132819554304",
        ErrorCode: "0", ErrorStatus: "success",
      },
    },
  }),
  entered: event("user_enter_tempsession", { SessionFrom: "sessionFrom" }),
  scancode: event("scancode_push", {
    EventKey: "6", ScanCodeInfo: { ScanType: "qrcode", ScanResult: "https://example.org" },
  }),
  located_by_menu: event("location_select", {
    EventKey: "6", SendLocationInfo: { Location_X: "23", Location_Y: "113", Scale: "15", Label: "客村艺苑路", Poiname: "" },
  }),
  rings: event("kf_msg_or_event", { Token: "ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR", OpenKfId: "wkxxxxxxx" }),
  unknown: message("hologram", 1234567890123464, { Beam: "x" }),
};

function xml(fields) {
  const members = (inner) => Object.entries(inner).map(one).join("\n");
  const written = (value) => {
    if (typeof value === "number") return value;
    if (typeof value === "object") return `\n${members(value)}\n`;
    return `<![CDATA[${value.replaceAll("]]>", "]]]]><![CDATA[>")}]]>`;
  };
  const one = ([name, value]) => `<${name}>${written(value)}</${name}>`;
  return `<xml>\n${members(fields)}\n</xml>`;
}

function vectors() {
  let count = 0;
  for (const [label, fields] of Object.entries(SAMPLES)) {
    for (const form of ["xml", "json"]) {
      const write = form === "xml" ? xml : JSON.stringify;
      for (const mode of ["plain", "compatible", "encrypted"]) {
        const nonce = String(1000 + count);
        const lib = count++ % 2 ? "wecom" : "wechat-crypto";
        const query = { timestamp: TIMESTAMP, nonce, openid: "fromUser" };
        query.signature = wecom.getSignature(TOKEN, TIMESTAMP, nonce, "");
        let body = write(fields);
        if (mode !== "plain") {
          const sealed = seal(lib, TOKEN, KEY, ID, body, TIMESTAMP, nonce);
          query.encrypt_type = "aes";
          query.msg_signature = sealed.signature;
          const outer = mode === "compatible" ? fields : { ToUserName: fields.ToUserName };
          body = write({ ...outer, Encrypt: sealed.encrypt });
        }
        console.log(JSON.stringify({ label, form, mode, lib, query, body }));
      }
    }
  }
}

if (process.argv[2] === "vectors") {
  vectors();
} else {
  readline
    .createInterface({ input: process.stdin })
    .on("line", (line) => console.log(JSON.stringify(answer(JSON.parse(line)))));
}
