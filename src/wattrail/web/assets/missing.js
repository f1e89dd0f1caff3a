// An address at which there is nothing, and a name that no meter has: said, with the ways out.
import { element } from "./element.js";
import { t, translatePage } from "./language.js";
import { navigation } from "./navigation.js";
import { wayOut } from "./problem.js";

translatePage();
document.title = `${t("There is no page at this address")} – wattrail`;
document.getElementById("top").append(navigation());
document.querySelector("main section").append(await wayOut(element("p.url", {}, location.pathname)));
