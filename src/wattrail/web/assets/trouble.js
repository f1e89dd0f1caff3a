// Why a meter is not read, with the remedy; and what its owner should know although it is read.
import { element, show } from "./element.js";
import { clock, notStored, remedy } from "./format.js";
import { t } from "./language.js";
import { said } from "./said.js";

export class Trouble {
  constructor() {
    Object.assign(this, { error: element("p.error"), hint: element("p.hint"), retry: element("p.retry"), remark: element("p.remark", { role: "status" }) });
    this.notice = element("div.notice", { role: "alert" }, this.error, this.hint, this.retry);
  }

  take(meter, zone) {
    this.notice.hidden = meter.error === null;
    show(this.error, said(meter.error));
    show(this.hint, remedy(meter.hint));
    show(this.retry, meter.retry_at ? t("Next attempt at {time}", { time: clock(meter.retry_at, zone) }) : "");
    const remarks = [said(meter.notice), notStored(meter.unstored, zone)].filter(Boolean);
    this.remark.hidden = remarks.length === 0;
    show(this.remark, remarks.join("; "));
  }
}
